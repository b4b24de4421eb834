"""A house on one machine: a storage box and emulated boards, for people to see and for benches."""
