"""What is used where nobody says otherwise: right for three servers as for three hundred."""

from storagebox.balance.picker import Policy
from storagebox.balance.picker.least_expected_wait import LeastExpectedWait

POLICY: Policy = LeastExpectedWait()
"""Needs no weights and uses what servers tell; its module says why it was chosen."""
