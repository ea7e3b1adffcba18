"""Approvals: a human's answer to one exact call, bound to its digest, used once, for a limited time."""
