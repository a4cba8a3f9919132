"""The dashboard in a real browser: its weight, its memory over hours, its pictures."""
