//! The one module that knows the SAT solver.

use std::collections::HashMap;

use batsat::{BasicSolver, SolverInterface, lbool};

/// A variable, or its negation with `!`.
pub(super) use batsat::Lit;

/// Clauses, and gates over them that are built once each.
#[derive(Default)]
pub(super) struct Solver {
    inner: BasicSolver,
    always: Option<Lit>,
    gates: HashMap<Vec<Lit>, Lit>,
}

impl Solver {
    pub(super) fn fresh(&mut self) -> Lit {
        Lit::new(self.inner.new_var_default(), true)
    }

    pub(super) fn clause(&mut self, literals: impl IntoIterator<Item = Lit>) {
        self.inner.add_clause_reuse(&mut literals.into_iter().collect());
    }

    /// What is always true.
    pub(super) fn always(&mut self) -> Lit {
        if let Some(always) = self.always {
            return always;
        }
        let always = self.fresh();
        self.clause([always]);
        *self.always.insert(always)
    }

    /// Whether all of these are true.
    pub(super) fn all(&mut self, literals: impl IntoIterator<Item = Lit>) -> Lit {
        let mut literals: Vec<_> = literals.into_iter().collect();
        literals.sort_unstable();
        literals.dedup();
        if let [only] = literals.as_slice() {
            return *only;
        }
        if literals.is_empty() {
            return self.always();
        }
        if let Some(gate) = self.gates.get(&literals) {
            return *gate;
        }
        let gate = self.fresh();
        for literal in &literals {
            self.clause([!gate, *literal]);
        }
        self.clause(literals.iter().map(|literal| !*literal).chain([gate]));
        self.gates.insert(literals, gate);
        gate
    }

    /// Whether one of these is true.
    pub(super) fn any(&mut self, literals: impl IntoIterator<Item = Lit>) -> Lit {
        !self.all(literals.into_iter().map(|literal| !literal))
    }

    /// One of these is true, and no other. A ladder: as many clauses as literals, since a limit may
    /// list thousands of values.
    pub(super) fn exactly_one(&mut self, literals: &[Lit]) {
        self.clause(literals.iter().copied());
        let mut found: Option<Lit> = None;
        for literal in literals {
            // True from the literal that is true on.
            let by_now = self.fresh();
            self.clause([!*literal, by_now]);
            if let Some(before) = found {
                self.clause([!before, by_now]);
                self.clause([!before, !*literal]);
            }
            found = Some(by_now);
        }
    }

    /// True if at most so many of the literals are true; nothing is said if it is false.
    pub(super) fn at_most(&mut self, literals: &[Lit], most: usize) -> Lit {
        let holds = self.fresh();
        // A sequential counter: `counted[n]` is true if more than `n` of those so far are.
        let mut counted: Vec<Lit> = Vec::new();
        for literal in literals {
            let next: Vec<_> = (0..=most).map(|_| self.fresh()).collect();
            for (index, more) in next.iter().enumerate() {
                if let Some(before) = counted.get(index) {
                    self.clause([!*before, *more]);
                }
                match index.checked_sub(1) {
                    None => self.clause([!*literal, *more]),
                    Some(fewer) => {
                        if let Some(fewer) = counted.get(fewer) {
                            self.clause([!*fewer, !*literal, *more]);
                        }
                    }
                }
            }
            counted = next;
        }
        if let Some(too_many) = counted.last() {
            self.clause([!holds, !*too_many]);
        }
        holds
    }

    /// Whether everything can hold together with these.
    pub(super) fn solve(&mut self, assumed: &[Lit]) -> bool {
        // Without a theory or a limit there is no third answer; if there were, it would count as
        // possible, and the witness be found wrong.
        self.inner.solve_limited(assumed) != lbool::FALSE
    }

    /// Whether a literal is true in what was found last.
    pub(super) fn is_true(&self, literal: Lit) -> bool {
        self.inner.value_lit(literal) == lbool::TRUE
    }
}
