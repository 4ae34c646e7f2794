use core::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn item(item_type: ItemType, text: &str) -> Item {
    Item::parse(item_type, text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

fn lists(of: &[(u32, ItemType, &str)]) -> Lists {
    let mut lists = Lists::default();
    for (list, item_type, text) in of {
        assert!(lists.add(*list, &item(*item_type, text), NEVER));
    }
    lists
}

fn ip(text: &str) -> Request<'static> {
    Request { ip: Some(text.parse().expect("an address")), ..Request::default() }
}

#[test]
fn items_are_normalised() {
    let table = [
        (ItemType::User, "  u-7 ", "u-7"),
        (ItemType::User, "Bot-*", "Bot-*"),
        (ItemType::Ip, "192.0.2.7", "192.0.2.7"),
        (ItemType::Ip, "::ffff:192.0.2.7", "192.0.2.7"),
        (ItemType::Ip, "2001:DB8:1:2:3::4", "2001:db8:1:2::"),
        (ItemType::Cidr, "192.0.2.7/24", "192.0.2.0/24"),
        (ItemType::Cidr, "192.0.2.7", "192.0.2.7/32"),
        (ItemType::Cidr, "::ffff:192.0.2.7/120", "192.0.2.0/24"),
        (ItemType::Cidr, "2001:db8::1 / 32", "2001:db8::/32"),
        (ItemType::Cidr, "2001:db8::1", "2001:db8::1/128"),
        (ItemType::EmailDomain, "@Example.COM", "example.com"),
        (ItemType::EmailDomain, "*.example.com.", "example.com"),
        (ItemType::EmailDomain, ".xn--bcher-kva.example", "xn--bcher-kva.example"),
    ];
    for (item_type, text, wanted) in table {
        assert_eq!(item(item_type, text).to_string(), wanted, "{item_type} {text}");
    }
}

#[test]
fn what_is_no_item_is_refused_with_a_reason() {
    let long = "a".repeat(MOST_CHARACTERS + 1);
    let label = format!("{}.com", "a".repeat(64));
    let table = [
        (ItemType::User, " ", code::EMPTY),
        (ItemType::User, long.as_str(), code::TOO_LONG),
        (ItemType::Store, "a\u{7}b", code::CONTROL_CHARACTER),
        (ItemType::Device, "*", code::MATCHES_ALL),
        (ItemType::Cashier, "a*b", code::WILDCARD),
        (ItemType::Ip, "192.0.2", code::NOT_AN_ADDRESS),
        (ItemType::Ip, "192.0.2.0/24", code::NETWORK),
        (ItemType::Cidr, "example.com/24", code::NOT_AN_ADDRESS),
        (ItemType::Cidr, "192.0.2.0/33", code::PREFIX_LENGTH),
        (ItemType::Cidr, "192.0.2.0/+8", code::PREFIX_LENGTH),
        (ItemType::Cidr, "192.0.2.0/", code::PREFIX_LENGTH),
        (ItemType::Cidr, "0.0.0.0/0", code::MATCHES_ALL),
        (ItemType::Cidr, "::ffff:0:0/96", code::MATCHES_ALL),
        (ItemType::EmailDomain, "com", code::NOT_A_DOMAIN),
        (ItemType::EmailDomain, "a@example.com", code::NOT_A_DOMAIN),
        (ItemType::EmailDomain, "a..com", code::NOT_A_DOMAIN),
        (ItemType::EmailDomain, "-a.com", code::NOT_A_DOMAIN),
        (ItemType::EmailDomain, "192.0.2.7", code::NOT_A_DOMAIN),
        (ItemType::EmailDomain, "bücher.example", code::NOT_A_DOMAIN),
        (ItemType::EmailDomain, label.as_str(), code::NOT_A_DOMAIN),
    ];
    for (item_type, text, wanted) in table {
        assert_eq!(Item::parse(item_type, text).map_err(|problem| problem.code), Err(wanted), "{item_type} {text}");
    }
}

#[test]
fn a_request_matches_whole_ids_and_how_they_begin() {
    let lists = lists(&[
        (5, ItemType::User, "bot-1"),
        (3, ItemType::User, "bot-*"),
        (4, ItemType::User, "bot-12*"),
        (1, ItemType::Device, "bot-1"),
        (9, ItemType::Store, "s*"),
        (2, ItemType::Cashier, "c1"),
    ]);
    let user = |user| Request { user: Some(user), ..Request::default() };
    assert_eq!(lists.matches(&user("bot-1"), 0), [3, 5]);
    assert_eq!(lists.matches(&user("bot-123"), 0), [3, 4]);
    assert!(lists.matches(&user("Bot-1"), 0).is_empty());
    assert!(lists.matches(&user("böt"), 0).is_empty(), "a prefix may end within a character of the id");
    let all = Request { device: Some("bot-1"), store: Some("s7"), cashier: Some("c1"), ..user("bot-1") };
    assert_eq!(lists.matches(&all, 0), [1, 2, 3, 5, 9]);
}

#[test]
fn an_address_matches_itself_its_subscriber_and_its_networks() {
    let lists = lists(&[
        (1, ItemType::Ip, "192.0.2.7"),
        (2, ItemType::Cidr, "192.0.2.0/24"),
        (3, ItemType::Ip, "2001:db8::7"),
        (4, ItemType::Cidr, "2001:db8::/32"),
        (5, ItemType::Cidr, "::/1"),
    ]);
    assert_eq!(lists.matches(&ip("192.0.2.7"), 0), [1, 2]);
    assert_eq!(lists.matches(&ip("::ffff:192.0.2.8"), 0), [2]);
    assert_eq!(lists.matches(&ip("2001:db8::1:2:3:4"), 0), [3, 4, 5]);
    assert_eq!(lists.matches(&ip("2001:db8:0:1::7"), 0), [4, 5]);
    assert!(lists.matches(&ip("192.0.3.1"), 0).is_empty());
}

#[test]
fn a_domain_matches_all_below_it_and_nothing_beside_it() {
    let lists = lists(&[(1, ItemType::EmailDomain, "example.com"), (2, ItemType::EmailDomain, "b.example.com")]);
    let domain = |domain| Request { email_domain: Some(domain), ..Request::default() };
    assert_eq!(lists.matches(&domain("a.B.example.com"), 0), [1, 2]);
    assert_eq!(lists.matches(&domain("example.com."), 0), [1]);
    assert!(lists.matches(&domain("badexample.com"), 0).is_empty());
    assert!(lists.matches(&domain("com"), 0).is_empty());
    let user = Request { user: Some("Ann@Mail.Example.com"), ..Request::default() };
    assert_eq!(lists.matches(&user, 0), [1], "a user that is an e-mail address tells its domain");
}

#[test]
fn items_expire_and_may_be_put_in_again_and_taken_out() {
    let mut lists = Lists::default();
    let (one, net) = (item(ItemType::User, "u*"), item(ItemType::Cidr, "10.0.0.0/8"));
    assert!(lists.add(7, &one, 1_000) && lists.add(8, &one, NEVER) && lists.add(7, &net, 2_000));
    let request = Request { user: Some("u1"), ..ip("10.1.1.1") };
    assert_eq!(lists.matches(&request, 999), [7, 8]);
    assert_eq!(lists.matches(&request, 1_000), [7, 8], "its network is on it still");
    assert_eq!(lists.matches(&request, 2_000), [8]);
    assert!(!lists.add(7, &one, 3_000), "it was there");
    assert_eq!((lists.matches(&request, 2_000), lists.len()), (vec![7, 8], 3));
    lists.remove_expired(2_500);
    assert_eq!((lists.matches(&request, 0), lists.len()), (vec![7, 8], 2));
    assert!(lists.remove(7, &one) && !lists.remove(7, &one));
    assert_eq!(lists.matches(&request, 0), [8]);
    lists.remove_list(8);
    assert!(lists.is_empty() && lists.matches(&request, 0).is_empty());
}

#[test]
fn feeds_are_read_with_their_comments_and_their_slips() {
    let text = "\u{feff}# networks\r\n192.0.2.0/24\r\n\r\n 198.51.100.1 # one\n203.0.113.0/40\n\t#\n";
    let (items, problems) = parse_feed(text, ItemType::Cidr);
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    assert_eq!(items, ["192.0.2.0/24", "198.51.100.1/32"]);
    let problems: Vec<_> = problems.iter().map(|(line, problem)| (*line, problem.code)).collect();
    assert_eq!(problems, [(5, code::PREFIX_LENGTH)]);
    let (items, _) = parse_feed("till#4\n", ItemType::Cashier);
    assert_eq!(items[0].to_string(), "till#4");
}

#[test]
fn rows_keep_why_and_until_when() {
    let rows = [("u1", " seen in case 7 ", Some(5)), ("", "nothing", None), ("u2", "", None)];
    let (entries, problems) = parse_rows(rows, ItemType::User);
    let first = Entry { item: item(ItemType::User, "u1"), reason: "seen in case 7".into(), expires_at_ms: Some(5) };
    assert_eq!((entries.len(), &entries[0]), (2, &first));
    assert_eq!((problems.len(), problems[0].0, problems[0].1.code), (1, 2, code::EMPTY));
}

/// Half of them in one /12, so that blocks hold networks of several lengths.
fn nearby() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), any::<u32>().prop_map(|bits| 0x0a10_0000 | bits >> 12)]
}

proptest! {
    #[test]
    fn networks_match_as_a_scan_of_all_of_them_does(
        networks in prop::collection::vec((nearby(), 1_u8..=32, 0_u32..9), 1..60),
        wide in prop::collection::vec((any::<u128>(), 1_u8..=128), 0..30),
        near in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>(), 0_u32..32), 1..60),
        out in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut lists = Lists::default();
        let mut scan: Vec<(u32, IpAddr, u8)> = Vec::new();
        let v4 = networks.iter().map(|(bits, length, list)| (*list, IpAddr::from(bits.to_be_bytes()), *length));
        let v6 = wide.iter().map(|(bits, length)| (4, IpAddr::from(Ipv6Addr::from_bits(*bits)), *length));
        for (list, address, length) in v4.chain(v6) {
            let item = item(ItemType::Cidr, &format!("{address}/{length}"));
            if lists.add(list, &item, NEVER) {
                scan.push((list, address, length));
            }
        }
        for index in out {
            if !scan.is_empty() {
                let (list, address, length) = scan.swap_remove(index.index(scan.len()));
                let item = item(ItemType::Cidr, &format!("{address}/{length}"));
                prop_assert!(lists.remove(list, &item));
            }
        }
        prop_assert_eq!(lists.len(), scan.len());
        // Addresses near those of the networks, so that many lie inside.
        let v4 = near.iter().map(|(index, noise, keep)| {
            let (bits, ..) = networks[index.index(networks.len())];
            IpAddr::from((bits ^ (noise >> keep)).to_be_bytes())
        });
        let v6 = wide.iter().map(|(bits, length)| IpAddr::from(Ipv6Addr::from_bits(bits ^ (1 << (length / 2)))));
        for address in v4.chain(v6) {
            let mut wanted: Vec<u32> =
                scan.iter().filter(|(_, net, length)| holds(*net, *length, address)).map(|(list, ..)| *list).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let request = Request { ip: Some(address), ..Request::default() };
            prop_assert_eq!(lists.matches(&request, 0), wanted, "{}", address);
        }
    }

    #[test]
    fn whatever_is_typed_is_an_item_that_reads_itself_or_is_refused(text in any::<String>(), ip in any::<IpAddr>()) {
        for item_type in ItemType::ALL {
            for text in [text.clone(), ip.to_string(), format!("{ip}/{}", text.len()), format!("{text}.com")] {
                if let Ok(item) = Item::parse(item_type, &text) {
                    prop_assert_eq!(Item::parse(item_type, &item.to_string()), Ok(item));
                }
            }
        }
    }

    #[test]
    fn no_bytes_upset_the_reader_of_feeds_or_the_matcher(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        let mut lists = Lists::default();
        for item_type in ItemType::ALL {
            let (items, problems) = parse_feed(&text, item_type);
            prop_assert!(items.len() + problems.len() <= text.lines().count());
            for item in &items {
                lists.add(1, item, NEVER);
            }
        }
        let told = Some(&*text);
        let request = Request { user: told, device: told, email_domain: told, store: told, cashier: told, ip: None };
        prop_assert!(lists.matches(&request, 0).len() <= 1);
    }
}

/// Bit by bit, without what the matcher is made of.
fn holds(network: IpAddr, length: u8, address: IpAddr) -> bool {
    let (network, address) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (network.octets().to_vec(), address.octets().to_vec()),
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.octets().to_vec(), address.octets().to_vec()),
        _ => return false,
    };
    let bit = |bytes: &[u8], at: u8| bytes[usize::from(at / 8)] >> (7 - at % 8) & 1;
    (0..length).all(|at| bit(&network, at) == bit(&address, at))
}
