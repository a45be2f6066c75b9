"""Small servers in every style, honest ones and decoys, for the tests of what `make trace` judges.
Each talks just enough HTTP for the clients that come to be judged."""
