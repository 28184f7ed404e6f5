// Compiles core/pch.h for every other target.
