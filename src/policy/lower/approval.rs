//! Who must agree to a call: what a tool says, and the least that guardrails ask for.

use super::Lowering;
use crate::diagnostics::{Code, Diagnostic, Place};
use crate::identity::GroupSet;
use crate::policy::model::{Approver, Effect, Trait};
use crate::policy::raw::{FloorOf, RawApprover, RawFloor, Text};

/// The least approval that whatever has an effect or trait needs.
#[derive(Clone, Debug)]
pub(super) struct Floor {
    of: FloorOf,
    approver: Approver,
    place: Place,
}

impl Lowering<'_> {
    pub(super) fn floors(&mut self, raw: &[RawFloor<'_>]) {
        for RawFloor { of, approver, place } in raw {
            let approver = self.approver(approver);
            self.asks().floors.push(Floor { of: *of, approver, place: *place });
        }
    }

    fn approver(&mut self, raw: &RawApprover<'_>) -> Approver {
        match raw {
            RawApprover::Caller => Approver::Caller,
            RawApprover::AnotherPerson => Approver::AnotherPerson,
            RawApprover::Groups(names) => Approver::Groups(self.group_set(names)),
        }
    }

    /// ⚠ What a tool says may be stronger than the floors, never weaker; what it leaves out, they
    /// fill in.
    pub(super) fn approval(
        &mut self,
        tool: Text<'_>,
        effect: Effect,
        traits: &[Trait],
        said: Option<&RawApprover<'_>>,
    ) -> Option<Approver> {
        let holds = |floor: &&Floor| match floor.of {
            FloorOf::Effect(of) => of == effect,
            FloorOf::Trait(of) => traits.contains(&of),
        };
        let floors: Vec<Floor> = self.asks.floors.iter().filter(holds).cloned().collect();
        let Some(said) = said else {
            return self.strongest(tool, &floors);
        };
        let said = self.approver(said);
        for floor in floors {
            if !is_at_least(&said, &floor.approver) {
                let message =
                    format!("the approval of `{}` is weaker than a guardrail", tool.value);
                self.report(
                    Diagnostic::error(Code::WeakApproval, tool.place, message)
                        .related(floor.place, "asked for here")
                        .help("name a stronger approver, or leave `approval` out"),
                );
            }
        }
        Some(said)
    }

    fn strongest(&mut self, tool: Text<'_>, floors: &[Floor]) -> Option<Approver> {
        let mut strongest: Option<Approver> = None;
        for Floor { of: _, approver, place } in floors {
            let both = match (strongest.take(), approver) {
                (Some(Approver::Groups(a)), Approver::Groups(b)) => {
                    let common: GroupSet = a.iter().filter(|group| b.contains(*group)).collect();
                    if common.is_empty() {
                        let message = format!("nobody could approve `{}`", tool.value);
                        self.report(
                            Diagnostic::error(Code::WeakApproval, tool.place, message)
                                .related(*place, "this guardrail and another share no group")
                                .help("give the guardrails a group in common"),
                        );
                    }
                    Approver::Groups(common)
                }
                (Some(one), other) if is_at_least(&one, other) => one,
                (Some(_) | None, other) => other.clone(),
            };
            strongest = Some(both);
        }
        strongest
    }
}

/// `caller` < `another-person` < a list; against a list, a part of it.
fn is_at_least(approver: &Approver, floor: &Approver) -> bool {
    match (approver, floor) {
        (_, Approver::Caller)
        | (Approver::AnotherPerson | Approver::Groups(_), Approver::AnotherPerson) => true,
        (Approver::Caller, Approver::AnotherPerson | Approver::Groups(_))
        | (Approver::AnotherPerson, Approver::Groups(_)) => false,
        (Approver::Groups(some), Approver::Groups(all)) => {
            some.iter().all(|group| all.contains(group))
        }
    }
}
