"""The demo's recipes, as its workers have them: a folder for each, under its id."""
