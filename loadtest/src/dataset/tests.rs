use super::*;

const HEADER: &str = "User_id,Merchant_id,Coupon_id,Discount_rate,Distance,Date_received\n";

fn read(rows: &str) -> Dataset {
    Dataset::read(format!("{HEADER}{rows}").as_bytes()).expect("readable")
}

fn counted(dataset: &Dataset) -> Vec<(&str, u64)> {
    dataset.excluded.iter().filter(|(_, n)| **n > 0).map(|(reason, n)| (reason.as_str(), *n)).collect()
}

#[test]
fn claims_are_taken_by_day_and_keep_their_row() {
    let dataset = read("7,1,2,30:5,1,20160702\n8,1,2,30:5,null,20160701\n9,1,3,0.9,0,20160702\n");
    let seen: Vec<_> = dataset.claims.iter().map(|claim| (claim.row, claim.user, claim.day)).collect();
    assert_eq!(seen, [(2, 8, 20_160_701), (1, 7, 20_160_702), (3, 9, 20_160_702)]);
    assert_eq!(dataset.days().collect::<Vec<_>>(), [0..1, 1..3]);
    assert_eq!(dataset.stocks.iter().map(|stock| stock.claims).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(dataset.distance_unknown, 1, "which excludes nothing");
    assert_eq!(counted(&dataset), []);
}

#[test]
fn rows_that_say_the_same_are_claims_of_their_own() {
    let dataset = read("7,1,2,30:5,1,20160702\n7,1,2,30:5,1,20160702\n");
    assert_eq!((dataset.claims.len(), dataset.stocks.len(), dataset.stocks[0].claims), (2, 1, 2));
}

#[test]
fn a_coupon_under_two_rules_is_two_stocks() {
    let dataset = read("7,1,2,30:5,1,20160702\n7,1,2,20:5,1,20160702\n");
    assert_eq!(dataset.stocks.len(), 2);
}

#[test]
fn every_row_that_is_no_claim_is_counted_by_its_reason() {
    let dataset = read(concat!(
        "null,1,2,30:5,1,20160702\n",
        "7,null,null,30:5,1,20160702\n",
        "7,1,null,30:5,1,20160702\n",
        "7,1,2,null,1,20160702\n",
        "7,1,2,30:5,1,null\n",
        "7,1,2,1.2,1,20160702\n",
        "x,1,2,30:5,1,20160702\n",
        "7,-1,2,30:5,1,20160702\n",
        "7,1,,30:5,1,20160702\n",
        "7,1,2,30:5,1,20160230\n",
        "7,1,2,30:5,1\n",
        "7,1,2,30:5,1,20160702,more\n",
        "7,1,2,30:5,1,20160702\n",
    ));
    let expected = [
        ("malformed Coupon_id", 1),
        ("malformed Date_received", 1),
        ("malformed Discount_rate", 1),
        ("malformed Merchant_id", 1),
        ("malformed User_id", 1),
        ("malformed: wrong number of fields", 2),
        ("null Coupon_id", 1),
        ("null Date_received", 1),
        ("null Discount_rate", 1),
        ("null Merchant_id", 1),
        ("null User_id", 1),
    ];
    assert_eq!(counted(&dataset), expected);
    assert_eq!(dataset.rows, 13);
    assert_eq!(dataset.claims.len() as u64 + dataset.excluded.values().sum::<u64>(), dataset.rows, "none is dropped");
    assert_eq!(dataset.claims[0].row, 13);
}

#[test]
fn nulls_are_listed_even_where_there_are_none() {
    assert_eq!(read("").excluded.len(), 5);
}

#[test]
fn text_that_is_not_utf_8_is_a_malformed_row() {
    let mut bytes = HEADER.as_bytes().to_vec();
    bytes.extend_from_slice(b"\xFF\xFE,1,2,30:5,1,20160702\n7,1,2,30:5,1,20160702\n");
    let dataset = Dataset::read(&bytes[..]).expect("readable");
    assert_eq!(counted(&dataset), [("malformed User_id", 1)]);
    assert_eq!(dataset.claims.len(), 1);
}

#[test]
fn a_byte_order_mark_and_other_columns_do_no_harm() {
    let text =
        "\u{FEFF}Date_received,Distance,Discount_rate,More,Coupon_id,Merchant_id,User_id\r\n20160702,1,0.9,x,2,1,7\r\n";
    let dataset = Dataset::read(text.as_bytes()).expect("readable");
    assert_eq!((dataset.claims.len(), dataset.claims[0].user, dataset.stocks[0].of.coupon), (1, 7, 2));
}

#[test]
fn a_missing_column_is_said_by_name() {
    let failure = Dataset::read(&b"User_id,Merchant_id\n1,2\n"[..]).expect_err("not the file");
    assert!(failure.to_string().contains("Coupon_id"), "{failure}");
}

#[test]
fn a_gzip_that_breaks_off_is_a_failure_not_an_end() {
    use std::io::Write;
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    zip.write_all(format!("{HEADER}{}", "7,1,2,30:5,1,20160702\n".repeat(5_000)).as_bytes()).expect("zips");
    let zipped = zip.finish().expect("zips");
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, half) = (folder.path().join("whole.gz"), folder.path().join("half.gz"));
    std::fs::write(&whole, &zipped).expect("writes");
    std::fs::write(&half, &zipped[..zipped.len() / 2]).expect("writes");
    assert_eq!(Dataset::open(&whole).expect("readable").claims.len(), 5_000);
    assert!(matches!(Dataset::open(&half), Err(Failure::Claims(_))));
}
