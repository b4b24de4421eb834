"""A whole house of emulated boards, and what goes wrong in homes."""
