"""The parts that every request needs: authentication, language, refusals, pages."""
