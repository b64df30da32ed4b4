//! Counts of the transitions that a machine declares: the simulation asks that each is taken, services export them.

/// Declares a machine's transitions as an enum that can be counted.
macro_rules! transitions {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs)]
        pub enum $name { $($variant),+ }

        impl $crate::transitions::Transition for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            fn number(self) -> usize {
                self as usize
            }
        }
    };
}
pub(crate) use transitions;

/// A declared transition of one machine.
pub trait Transition: Copy + 'static {
    /// Every one of the machine, in the order of their numbers.
    const ALL: &'static [Self];

    /// As it is declared.
    fn name(self) -> &'static str;

    /// Dense from 0.
    fn number(self) -> usize;
}

/// How often a machine took each of its transitions.
#[derive(Clone, Debug)]
pub struct Transitions<T> {
    taken: Vec<u64>,
    machine: std::marker::PhantomData<T>,
}

impl<T: Transition> Default for Transitions<T> {
    fn default() -> Self {
        Self { taken: vec![0; T::ALL.len()], machine: std::marker::PhantomData }
    }
}

impl<T: Transition> Transitions<T> {
    pub(crate) fn took(&mut self, transition: T) {
        self.taken[transition.number()] += 1;
    }

    /// How often this one was taken.
    #[must_use]
    pub fn of(&self, transition: T) -> u64 {
        self.taken[transition.number()]
    }

    /// Each transition's name and how often it was taken.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        T::ALL.iter().map(|transition| (transition.name(), self.taken[transition.number()]))
    }

    /// Adds what another machine of the kind took.
    pub fn add(&mut self, other: &Self) {
        self.taken.iter_mut().zip(&other.taken).for_each(|(mine, theirs)| *mine += theirs);
    }
}
