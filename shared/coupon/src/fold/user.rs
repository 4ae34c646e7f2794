//! Users.

use std::sync::Arc;

use crate::fold::Scope;
use crate::hash::id_hash;
use crate::state::{Key, Read, Row, Rows};
use crate::user::{Proof, UserProfile, UserRow, UserStep, UserStepped};

impl<R: Rows> Scope<'_, R> {
    pub(super) fn user_stepped(&mut self, stepped: &UserStepped) {
        match &stepped.step {
            UserStep::Create(profile, by) => self.user_created(profile, by),
            UserStep::Link(link) => self.user_changed(stepped.user, |row| row.link = Some(*link)),
            UserStep::SetPassword(hash) => self.user_changed(stepped.user, |row| {
                row.password = Some(hash.clone());
                row.epoch += 1;
            }),
            UserStep::SignIn(Proof::Link(_)) => {
                self.user_changed(stepped.user, |row| row.link = None);
                self.signed_in(stepped.user);
            }
            UserStep::SignIn(Proof::Password(_)) => self.signed_in(stepped.user),
            UserStep::SignOut => self.user_changed(stepped.user, |row| row.epoch += 1),
            UserStep::Disable => {
                let at = self.at.time;
                self.user_changed(stepped.user, |row| {
                    (row.disabled_at, row.link) = (Some(at), None);
                    row.epoch += 1;
                });
            }
        }
    }

    fn user_created(&mut self, profile: &UserProfile, by: &Proof) {
        let number = self.at.sequence;
        let (password, link) = match by {
            Proof::Password(hash) => (Some(hash.clone()), None),
            Proof::Link(link) => (None, Some(*link)),
        };
        let row = UserRow {
            version: number,
            profile: profile.clone(),
            created_at: self.at.time,
            password,
            link,
            epoch: 0,
            signed_in_at: None,
            disabled_at: None,
        };
        self.rows.put(Key::User(self.merchant, number), Row::User(Arc::new(row)));
        self.rows.put(Key::UserName(self.merchant, id_hash(&profile.name)), Row::UserName(number));
    }

    fn user_changed(&mut self, user: u64, change: impl FnOnce(&mut UserRow)) {
        let Some(row) = self.rows.user(self.merchant, user) else { return };
        let mut row = UserRow { version: self.at.sequence, ..UserRow::clone(row) };
        change(&mut row);
        self.rows.put(Key::User(self.merchant, user), Row::User(Arc::new(row)));
    }

    /// The version stays: that somebody signed in stands in nobody's way.
    fn signed_in(&mut self, user: u64) {
        let Some(row) = self.rows.user(self.merchant, user) else { return };
        let row = UserRow { signed_in_at: Some(self.at.time), ..UserRow::clone(row) };
        self.rows.put(Key::User(self.merchant, user), Row::User(Arc::new(row)));
    }
}
