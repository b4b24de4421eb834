"""Set-up, benches and board tools: what a developer runs, nothing a box or board plays by."""
