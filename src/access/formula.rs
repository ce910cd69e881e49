//! Two forms, as clauses; and where they differ.

use std::collections::{BTreeMap, BTreeSet};

use super::Direction;
use super::arguments::{self, Argument};
use super::atoms::Atom;
use super::form::{Form, FormGrant, LimitId, Limits};
use super::solver::{Lit, Solver};
use crate::engine::could_be_taken_for;

/// Smaller sets of claims and scopes than what was found are looked for up to this size; what is found is
/// never larger than needed, only perhaps not the smallest.
const MAX_SMALLEST: usize = 3;

/// Where two forms differ, in one direction.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) direction: Direction,
    /// A caller; `None` if nobody knows one, though there may be one.
    pub(super) example: Option<Example>,
    /// Which grants of the side that lets through have a part in it, by their index.
    pub(super) grants: Vec<usize>,
    /// Whether everybody it is about could do it with some arguments before, and still can.
    pub(super) by_arguments: bool,
}

/// Groups, scopes and arguments.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) atoms: Vec<Atom>,
    /// A JSON object.
    pub(super) arguments: String,
}

/// A form in the solver.
struct Side {
    reached: Lit,
    /// The same, if all arguments were as they should be.
    by_groups: Lit,
    grants: Vec<Lit>,
}

/// Both forms in one solver.
struct Formula {
    solver: Solver,
    atoms: BTreeMap<Atom, Lit>,
    arguments: Vec<(Argument, Vec<Lit>)>,
    gates: BTreeMap<LimitId, Lit>,
    /// True for arguments that are not among the choices.
    opaque: Vec<Lit>,
}

/// Every direction in which two forms differ.
pub(super) fn differences(forms: [Option<&Form>; 2], limits: &Limits<'_>) -> Vec<Difference> {
    let mut formula = Formula::new(forms, limits);
    let [old, new] = forms.map(|form| formula.side(form));
    let approval = forms.map(|form| form.is_some_and(|form| form.approval));
    let mut found = Vec::new();
    let mut ask = |formula: &mut Formula, direction, wanted: &[Lit], side: &Side, other: &Side| {
        found.extend(formula.difference(direction, wanted, side, other));
    };
    ask(&mut formula, Direction::Wider, &[new.reached, !old.reached], &new, &old);
    ask(&mut formula, Direction::Narrower, &[old.reached, !new.reached], &old, &new);
    let both = [old.reached, new.reached];
    match approval {
        [true, false] => ask(&mut formula, Direction::WithoutApproval, &both, &new, &old),
        [false, true] => ask(&mut formula, Direction::UnderApproval, &both, &old, &new),
        [false, false] | [true, true] => {}
    }
    found
}

/// Whether there is somebody.
#[derive(Clone, Debug)]
pub(super) enum Somebody {
    /// There is nobody.
    Nobody,
    /// The smallest there is.
    This(Example),
    /// Only if arguments that nobody can enumerate are what they should be.
    Unclear,
}

/// Whether a form lets somebody through who is, or is not, one of those that another form
/// describes.
pub(super) fn somebody(
    form: &Form,
    described: Option<&Form>,
    is_described: bool,
    limits: &Limits<'_>,
) -> Somebody {
    let mut formula = Formula::new([Some(form), described], limits);
    let reached = formula.side(Some(form)).reached;
    let described = formula.side(described).reached;
    let wanted = [reached, if is_described { described } else { !described }];
    let mut known = wanted.to_vec();
    known.extend(formula.opaque.iter().map(|opaque| !*opaque));
    if formula.solver.solve(&known) {
        Somebody::This(formula.smallest(&mut known))
    } else if !formula.opaque.is_empty() && formula.solver.solve(&wanted) {
        Somebody::Unclear
    } else {
        Somebody::Nobody
    }
}

impl Formula {
    fn new(forms: [Option<&Form>; 2], limits: &Limits<'_>) -> Self {
        let mut solver = Solver::default();
        let known = || forms.into_iter().flatten();
        let atoms: BTreeSet<_> = known().flat_map(Form::all_atoms).collect();
        let atoms = atoms.into_iter().map(|atom| (atom, solver.fresh())).collect();
        let ids: BTreeSet<_> = known().flat_map(Form::all_limits).collect();
        let used: Vec<_> = ids.iter().filter_map(|id| limits.get(*id)).collect();
        let mut names: BTreeSet<&str> = used.iter().map(|limit| limit.pointer.argument()).collect();
        let accepted = || known().filter_map(|form| form.accepts.as_ref()).flatten();
        names.extend(accepted().map(|name| &**name));
        let other = other_name(&names);
        if known().any(|form| form.accepts.is_some()) {
            names.insert(&other);
        }
        let mut formula = Self {
            solver,
            atoms,
            arguments: Vec::new(),
            gates: BTreeMap::new(),
            opaque: Vec::new(),
        };
        for name in names {
            let argument = arguments::choices(name, &used);
            let mut chosen: Vec<_> =
                argument.choices.iter().map(|_| formula.solver.fresh()).collect();
            if !argument.complete {
                let opaque = formula.solver.fresh();
                formula.opaque.push(opaque);
                chosen.push(opaque);
            }
            formula.solver.exactly_one(&chosen);
            formula.arguments.push((argument, chosen));
        }
        formula.limits(&ids, limits);
        formula
    }

    /// Builds the gate of every limit, so that both sides find it.
    fn limits(&mut self, ids: &BTreeSet<LimitId>, limits: &Limits<'_>) {
        let mut gates = BTreeMap::new();
        for (index, id) in ids.iter().enumerate() {
            let Some(limit) = limits.get(*id) else { continue };
            let name = limit.pointer.argument();
            let mut holds = Vec::new();
            let mut alone = Vec::new();
            for (argument, chosen) in &self.arguments {
                if *argument.name == *name {
                    let keeps = argument.choices.iter().zip(chosen);
                    let keeps = keeps.filter(|(choice, _)| choice.keeps.get(index) == Some(&true));
                    holds.extend(keeps.map(|(_, lit)| *lit));
                    if let (false, Some(opaque)) = (argument.complete, chosen.last()) {
                        let free = self.solver.fresh();
                        holds.push(self.solver.all([*opaque, free]));
                    }
                } else if could_be_taken_for(&argument.name, name) {
                    // The first choice is to leave it out.
                    alone.extend(chosen.first());
                }
            }
            let value = self.solver.any(holds);
            gates.insert(*id, self.solver.all(alone.into_iter().chain([value])));
        }
        self.gates = gates;
    }

    fn any_of(&mut self, atoms: &[Atom]) -> Lit {
        let literals: Vec<_> =
            atoms.iter().filter_map(|atom| self.atoms.get(atom)).copied().collect();
        self.solver.any(literals)
    }

    fn grant(&mut self, grant: &FormGrant) -> [Lit; 2] {
        let FormGrant { people, also_in, except, scopes, limits } = grant;
        let mut groups = vec![!self.any_of(except)];
        for atoms in [people, also_in].into_iter().flatten() {
            groups.push(self.any_of(atoms));
        }
        groups.extend(scopes.iter().filter_map(|scope| self.atoms.get(scope)));
        let groups = self.solver.all(groups);
        let limits = self.kept(limits);
        [self.solver.all([groups, limits]), groups]
    }

    fn kept(&mut self, limits: &[LimitId]) -> Lit {
        let gates: Vec<_> = limits.iter().filter_map(|id| self.gates.get(id)).copied().collect();
        self.solver.all(gates)
    }

    fn side(&mut self, form: Option<&Form>) -> Side {
        let Some(form) = form else {
            let never = !self.solver.always();
            return Side { reached: never, by_groups: never, grants: Vec::new() };
        };
        let Form { bans, free, grants, limits, accepts, approval: _ } = form;
        let not_banned = !self.any_of(bans);
        if *free {
            return Side { reached: not_banned, by_groups: not_banned, grants: Vec::new() };
        }
        let grants: Vec<_> = grants.iter().map(|grant| self.grant(grant)).collect();
        let (grants, groups): (Vec<_>, Vec<_>) = grants.into_iter().map(|[a, b]| (a, b)).unzip();
        let granted = self.solver.any(grants.iter().copied());
        let by_groups = self.solver.any(groups);
        let kept = self.kept(limits);
        let accepted = match accepts {
            None => self.solver.always(),
            Some(accepts) => {
                let others =
                    self.arguments.iter().filter(|(argument, _)| !accepts.contains(&argument.name));
                let left_out: Vec<_> =
                    others.filter_map(|(_, chosen)| chosen.first()).copied().collect();
                self.solver.all(left_out)
            }
        };
        let reached = self.solver.all([not_banned, granted, kept, accepted]);
        let by_groups = self.solver.all([not_banned, by_groups]);
        Side { reached, by_groups, grants }
    }

    fn difference(
        &mut self,
        direction: Direction,
        wanted: &[Lit],
        side: &Side,
        other: &Side,
    ) -> Option<Difference> {
        let known: Vec<_> = self.opaque.iter().map(|opaque| !*opaque).collect();
        let mut wanted = wanted.to_vec();
        if !self.solver.solve(&[wanted.as_slice(), &known].concat()) {
            // Values that were not tried might differ: nobody knows.
            let unclear = !self.opaque.is_empty() && self.solver.solve(&wanted);
            return unclear.then_some(Difference {
                direction: Direction::NotComparable,
                example: None,
                grants: Vec::new(),
                by_arguments: true,
            });
        }
        wanted.extend(known);
        let mut contribute = Vec::new();
        for (index, grant) in side.grants.iter().enumerate() {
            wanted.push(*grant);
            if self.solver.solve(&wanted) {
                contribute.push(index);
            }
            wanted.pop();
        }
        // Who could not do it at all says more than who could with other arguments.
        wanted.push(!other.by_groups);
        let by_arguments = !self.solver.solve(&wanted);
        if by_arguments {
            wanted.pop();
        }
        let example = self.smallest(&mut wanted);
        Some(Difference { direction, example: Some(example), grants: contribute, by_arguments })
    }

    /// The smallest example: fewest claims and scopes, then fewest arguments.
    fn smallest(&mut self, wanted: &mut Vec<Lit>) -> Example {
        self.solver.solve(wanted);
        let all: Vec<_> = self.atoms.values().copied().collect();
        let mut held: Vec<_> =
            all.iter().copied().filter(|lit| self.solver.is_true(*lit)).collect();
        wanted.extend(all.iter().filter(|lit| !held.contains(lit)).map(|lit| !*lit));
        let before = wanted.len() - (all.len() - held.len());
        let mut index = 0;
        while let Some(literal) = held.get(index).copied() {
            wanted.push(!literal);
            if self.solver.solve(wanted) {
                held.remove(index);
            } else {
                wanted.pop();
                index += 1;
            }
        }
        // None of them can be left out; there may still be fewer others.
        for most in 0..held.len().min(MAX_SMALLEST + 1) {
            if most >= held.len() {
                break;
            }
            let few = self.solver.at_most(&all, most);
            let mut fewer: Vec<_> = wanted.iter().take(before).copied().collect();
            fewer.push(few);
            if self.solver.solve(&fewer) {
                held = all.iter().copied().filter(|lit| self.solver.is_true(*lit)).collect();
                wanted.truncate(before);
                let rest = all.iter().map(|lit| if held.contains(lit) { *lit } else { !*lit });
                wanted.extend(rest);
                break;
            }
        }
        self.fewest_arguments(wanted);
        Example { atoms: self.held(), arguments: self.chosen() }
    }

    fn fewest_arguments(&mut self, wanted: &mut Vec<Lit>) {
        let arguments = std::mem::take(&mut self.arguments);
        for (_, chosen) in &arguments {
            // Left out, or else the plainest value.
            for lit in chosen {
                wanted.push(*lit);
                if self.solver.solve(wanted) {
                    break;
                }
                wanted.pop();
            }
        }
        self.arguments = arguments;
        self.solver.solve(wanted);
    }

    fn held(&self) -> Vec<Atom> {
        let held = self.atoms.iter().filter(|(_, lit)| self.solver.is_true(**lit));
        held.map(|(atom, _)| *atom).collect()
    }

    fn chosen(&self) -> String {
        let members = self.arguments.iter().filter_map(|(argument, chosen)| {
            let mut choices = argument.choices.iter().zip(chosen);
            let (choice, _) = choices.find(|(_, lit)| self.solver.is_true(**lit))?;
            Some(format!("{}:{}", arguments::quoted(&argument.name), choice.text.as_ref()?))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

/// A name that no argument has, nor one that could be taken for it: limits would not hold beside
/// that, whatever the other arguments.
fn other_name(names: &BTreeSet<&str>) -> String {
    let mut other = "other".to_owned();
    while names.iter().any(|name| could_be_taken_for(&other, name)) {
        other.push('_');
    }
    other
}
