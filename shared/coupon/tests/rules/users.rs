//! Users: made once per name, let in by a password or by a link that works once, and out of all sessions together.

use coupon::command::Command;
use coupon::id::UserId;
use coupon::rejection::Rejection;
use coupon::state::Read;
use coupon::user::{Link, Proof, UserProfile, UserRow, UserStep, UserStepped};

use crate::shop::{HOUR, MERCHANT, NOON, Shop};

const LINK: Link = Link { seed: [1; 16], token: [2; 16], expires_at: NOON + 24 * HOUR };

fn step(user: u64, step: UserStep) -> Command {
    Command::StepUser(Box::new(UserStepped { user, step }))
}

fn create(name: &str, by: Proof) -> Command {
    let (display_name, role) = ("安".to_owned(), "analyst".to_owned());
    step(0, UserStep::Create(UserProfile { name: name.to_owned(), display_name, role, merchant: None }, by))
}

fn hash(text: &str) -> String {
    format!("$argon2id$v=19$m=19456,t=2,p=1$salt${text}")
}

/// A user with a link, and the user's number.
fn invited() -> (Shop, u64) {
    let mut shop = Shop::open();
    shop.does(&create("an", Proof::Link(LINK)));
    let user = shop.sequence;
    (shop, user)
}

/// A user with a password.
fn known() -> (Shop, u64) {
    let (mut shop, user) = invited();
    shop.does(&step(user, UserStep::SetPassword(hash("a"))));
    (shop, user)
}

fn row(shop: &Shop, user: u64) -> UserRow {
    shop.rows.user(MERCHANT, user).map(|row| UserRow::clone(row)).expect("a user")
}

#[test]
fn no_two_users_have_one_name() {
    let (mut shop, user) = invited();
    assert_eq!(shop.refuses(&create("an", Proof::Link(LINK))), Rejection::UserExists);
    shop.does(&create("bo", Proof::Password(hash("b"))));
    assert_eq!(shop.rows.user_name(MERCHANT, coupon::hash::id_hash("an")), Some(&user));
    shop.does(&step(user, UserStep::Disable));
    assert_eq!(shop.refuses(&create("an", Proof::Link(LINK))), Rejection::UserExists, "deeds are found by it");
}

#[test]
fn a_user_of_a_merchant_needs_the_merchant() {
    let mut shop = Shop::open();
    let of = |merchant| {
        let (name, role) = ("shop".to_owned(), "merchant".to_owned());
        let profile = UserProfile { display_name: name.clone(), name, role, merchant: Some(merchant) };
        step(0, UserStep::Create(profile, Proof::Link(LINK)))
    };
    assert_eq!(shop.refuses(&of(coupon::id::MerchantId(8))), Rejection::MerchantNotFound);
    shop.does(&of(MERCHANT));
}

#[test]
fn a_link_lets_in_once_also_where_two_come_at_the_same_moment() {
    let (mut shop, user) = invited();
    let sign_in = step(user, UserStep::SignIn(Proof::Link(LINK)));
    let [first, second] = [(); 2].map(|()| shop.decides(&sign_in).expect("a good link"));
    assert!(matches!(shop.fold(first, None), coupon::fold::Outcome::Applied(_)));
    assert!(matches!(shop.fold(second, None), coupon::fold::Outcome::Void(_)), "the other one is too late");
    assert_eq!(shop.refuses(&sign_in), Rejection::LinkExpired);
    assert_eq!(row(&shop, user).signed_in_at, Some(NOON));
}

#[test]
fn a_link_is_over_at_its_time_and_when_another_takes_its_place() {
    let (mut shop, user) = invited();
    shop.now = LINK.expires_at;
    assert_eq!(shop.refuses(&step(user, UserStep::SignIn(Proof::Link(LINK)))), Rejection::LinkExpired);
    let newer = Link { token: [3; 16], expires_at: shop.now + HOUR, ..LINK };
    shop.does(&step(user, UserStep::Link(newer)));
    shop.now -= HOUR;
    assert_eq!(shop.refuses(&step(user, UserStep::SignIn(Proof::Link(LINK)))), Rejection::LinkExpired);
    shop.does(&step(user, UserStep::SignIn(Proof::Link(newer))));
}

#[test]
fn a_password_lets_in_as_long_as_it_is_the_users() {
    let (mut shop, user) = known();
    let sign_in = |text| step(user, UserStep::SignIn(Proof::Password(hash(text))));
    let before = row(&shop, user);
    shop.does(&sign_in("a"));
    assert_eq!(row(&shop, user), UserRow { signed_in_at: Some(NOON), ..before }, "nothing else has changed");
    let checked_before = shop.decides(&sign_in("a")).expect("the password");
    shop.does(&step(user, UserStep::SetPassword(hash("b"))));
    assert!(matches!(shop.fold(checked_before, None), coupon::fold::Outcome::Void(_)));
    assert_eq!(shop.refuses(&sign_in("a")), Rejection::SignInFailed);
    shop.does(&sign_in("b"));
}

#[test]
fn signing_out_a_new_password_and_disabling_end_all_sessions() {
    let (mut shop, user) = known();
    for ends in [UserStep::SignOut, UserStep::SetPassword(hash("c")), UserStep::Disable] {
        let before = row(&shop, user).epoch;
        shop.does(&step(user, ends.clone()));
        assert_eq!(row(&shop, user).epoch, before + 1, "{ends:?}");
    }
}

#[test]
fn who_is_disabled_stays_out() {
    let (mut shop, user) = known();
    shop.does(&step(user, UserStep::Link(LINK)));
    shop.does(&step(user, UserStep::Disable));
    let by_password = UserStep::SignIn(Proof::Password(hash("a")));
    assert_eq!(shop.refuses(&step(user, by_password)), Rejection::SignInFailed);
    assert_eq!(shop.refuses(&step(user, UserStep::SignIn(Proof::Link(LINK)))), Rejection::LinkExpired);
    for barred in [UserStep::Link(LINK), UserStep::SetPassword(hash("d")), UserStep::SignOut, UserStep::Disable] {
        assert_eq!(shop.refuses(&step(user, barred)), Rejection::UserDisabled);
    }
}

#[test]
fn who_is_not_there_can_do_nothing() {
    let (shop, user) = invited();
    assert_eq!(shop.refuses(&step(user + 1, UserStep::SignOut)), Rejection::UserNotFound);
}

#[test]
fn what_users_do_is_found_by_the_user() {
    let mut shop = Shop::open();
    shop.does(&create("an", Proof::Link(LINK)).by("cfk_platform"));
    let user = shop.sequence;
    let id = UserId::new(MERCHANT, user).to_string();
    shop.does(&step(user, UserStep::SignIn(Proof::Link(LINK))).by(&id));
    shop.does(&step(user, UserStep::SignOut).by(&id));
    for (sequence, by, what) in [
        (user, "cfk_platform", "user.create"),
        (user + 1, id.as_str(), "user.sign_in"),
        (user + 2, id.as_str(), "user.sign_out"),
    ] {
        let deed = shop.rows.audit(MERCHANT, sequence).expect("a deed");
        assert_eq!((deed.by.as_str(), deed.what.as_str(), deed.object.as_str()), (by, what, id.as_str()));
    }
}
