"""Which predictions a person's time is best spent on."""
