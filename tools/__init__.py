"""Set-up, benches and board tools: what a developer runs, none of what a box or a board needs to play."""
