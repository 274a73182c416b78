"""Everything that people change in the service: a module for each subject, a function for each action.

The API, the pages and the commands are doors. Each turns what it is given into a typed request
(`fields.ActionRequest`) and an `Actor`, and shows what the action returns. The action checks the right, takes the
transaction and its turns, and calls the domain, which writes the log of changes.
"""
