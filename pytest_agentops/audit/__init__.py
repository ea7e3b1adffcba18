"""The audit log: what was decided and done, in a hash chain. Tamper-evident against an anchor that is kept elsewhere.

It cannot show that a record was false when it was written, and without an anchor neither a cut-off tail nor a whole rewrite.
"""
