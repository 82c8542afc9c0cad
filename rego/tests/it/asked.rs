//! What a pool answers, and what it does with its workers.
