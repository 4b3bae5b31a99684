"""The station's behaviour, a block per part of the specification. A block may read a policy, never a version."""
