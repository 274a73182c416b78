"""The pages about ways into a course: rosters, personal links and join links, tokens of programs."""
