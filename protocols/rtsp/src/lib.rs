//! Streams of cameras: who sends pictures, over which transport, and how well they arrive.
