"""What a server tells its clients of its load: the other half of policies that choose by it."""
