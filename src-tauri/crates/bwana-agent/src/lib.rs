//! One agent's turn and the group chat as pure machines.
