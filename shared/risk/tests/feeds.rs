//! Feeds as they are published, where there are some beside the repository: each line is an item, and matches.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use risk::lists::{ItemType, Lists, NEVER, Request, parse_feed};

fn feeds() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1);
    above.map(|folder| folder.join("shared/data/feeds")).find(|folder| folder.is_dir())
}

#[test]
fn real_feeds_are_held_and_each_of_their_lines_matches() {
    let Some(folder) = feeds() else { return };
    let mut lists = Lists::default();
    let mut known = Vec::new();
    let feeds = [
        (1, "datacenter_ipv4.txt", ItemType::Cidr, 42_566),
        (2, "vpn_ipv4.txt", ItemType::Cidr, 10_862),
        (3, "disposable_email_domains.txt", ItemType::EmailDomain, 10_181),
    ];
    for (list, file, item_type, number) in feeds {
        let text = fs::read_to_string(folder.join(file)).expect("a feed");
        let (items, problems) = parse_feed(&text, item_type);
        assert_eq!((items.len(), problems.as_slice()), (number, [].as_slice()), "{file}");
        for item in items {
            lists.add(list, &item, NEVER);
            known.push((list, item.to_string()));
        }
    }
    let addresses: Vec<(u32, IpAddr)> =
        known.iter().filter_map(|(list, text)| Some((*list, text.split_once('/')?.0.parse().ok()?))).collect();
    let domains = known.iter().filter(|(list, _)| *list == 3).map(|(_, domain)| domain.as_str());
    for ((list, address), domain) in addresses.iter().zip(domains.cycle()) {
        let request =
            Request { ip: Some(*address), email_domain: Some(domain), user: Some("u1"), ..Request::default() };
        let matching = lists.matches(&request, 0);
        assert!(matching.contains(list) && matching.contains(&3), "{address} {domain} {matching:?}");
    }
}
