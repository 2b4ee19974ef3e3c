"""P: classifiers that are trained on vectors: the learning step, their scores, their stored form."""
