//! Users as signing in needs them: found by their id, their name, or the token of a link.

use std::sync::Arc;

use coupon::id::MerchantId;
use coupon::user::UserRow;
use dashmap::DashMap;
use http_api::auth::{Key, User};

use crate::dto::user::user_id;

/// A user's number and row.
pub type Person = (u64, Arc<UserRow>);

/// All users.
#[derive(Default)]
pub struct People {
    rows: DashMap<u64, Arc<UserRow>>,
    /// Those who may sign in, by their ids.
    callers: DashMap<String, Arc<User>>,
    names: DashMap<String, u64>,
    /// By the hashes of the tokens of links that are not used yet.
    links: DashMap<[u8; 16], u64>,
    of: DashMap<MerchantId, Vec<u64>>,
}

impl People {
    /// Takes note of a user, and of what the user may do.
    pub(crate) fn put(&self, number: u64, row: &Arc<UserRow>, caller: Option<Arc<Key>>) {
        let before = self.rows.insert(number, row.clone());
        if let Some(link) = before.as_ref().and_then(|before| before.link) {
            self.links.remove(&link.token);
        }
        if let Some(link) = row.link {
            self.links.insert(link.token, number);
        }
        if before.is_none() {
            self.names.insert(row.profile.name.clone(), number);
            if let Some(merchant) = row.profile.merchant {
                self.of.entry(merchant).or_default().push(number);
            }
        }
        match caller.filter(|_| row.disabled_at.is_none()) {
            Some(key) => self.callers.insert(user_id(number), Arc::new(User { key, epoch: row.epoch })),
            None => self.callers.remove(&user_id(number)).map(|(_, user)| user),
        };
    }

    /// The users of a merchant.
    pub(crate) fn of(&self, merchant: MerchantId) -> Vec<Person> {
        let numbers = self.of.get(&merchant).map(|numbers| numbers.clone()).unwrap_or_default();
        numbers.into_iter().filter_map(|number| self.find(number)).collect()
    }

    /// A user that may sign in.
    pub fn user(&self, user_id: &str) -> Option<Arc<User>> {
        self.callers.get(user_id).map(|user| user.clone())
    }

    /// The user with a number.
    pub fn find(&self, number: u64) -> Option<Person> {
        self.rows.get(&number).map(|row| (number, row.clone()))
    }

    /// The user with a name.
    pub fn named(&self, name: &str) -> Option<Person> {
        let number = self.names.get(name).map(|number| *number)?;
        self.find(number)
    }

    /// The user whose link has a token with this hash, if it is not used yet.
    pub fn linked(&self, token: [u8; 16]) -> Option<Person> {
        let number = self.links.get(&token).map(|number| *number)?;
        self.find(number)
    }
}

#[cfg(test)]
mod tests {
    use coupon::user::{Link, UserProfile};

    use super::*;

    fn row(link: Option<u8>) -> Arc<UserRow> {
        let (name, display_name, role) = ("an".to_owned(), "安".to_owned(), "analyst".to_owned());
        Arc::new(UserRow {
            version: 1,
            profile: UserProfile { name, display_name, role, merchant: None },
            created_at: 1,
            password: None,
            link: link.map(|fill| Link { seed: [0; 16], token: [fill; 16], expires_at: 9 }),
            epoch: 0,
            signed_in_at: None,
            disabled_at: None,
        })
    }

    #[test]
    fn a_user_is_found_by_the_newest_link_only_and_by_none_that_was_used() {
        let people = People::default();
        people.put(7, &row(Some(1)), None);
        assert_eq!(people.linked([1; 16]).map(|(number, _)| number), Some(7));
        people.put(7, &row(Some(2)), None);
        assert_eq!((people.linked([1; 16]), people.linked([2; 16]).is_some()), (None, true));
        people.put(7, &row(None), None);
        assert_eq!((people.linked([2; 16]), people.named("an").is_some(), people.named("bo")), (None, true, None));
    }
}
