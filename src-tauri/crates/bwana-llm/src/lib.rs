//! Model providers behind one trait: pure dialect codecs, one transport, and the client of the built-in local model.
