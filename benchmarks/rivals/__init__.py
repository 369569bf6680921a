"""Other libraries' loops on recipe R1, for comparison; each is timed where its library is installed (extra `bench`)."""
