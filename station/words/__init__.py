"""The neutral language of the station: facts, questions, commands, outcomes, records, settings, policies. Data only.

`docs/decisions/001-words.md` puts each word beside the 1.6 and the 2.0.1 message it becomes.
"""
