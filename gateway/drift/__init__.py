"""Whether live pictures and answers are like those that the version was made with."""
