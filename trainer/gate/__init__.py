"""May a candidate be published? The checks, their statistics, and what they are decided on."""
