"""The rules, each stated once: what is a name, a profile, a late renewal, a secure version.

A leaf: nothing here imports pulumi, so that whoever checks a rule (settings, components, policies, alerts, verify,
bootstrap) loads it in milliseconds and reads the same one.
"""
