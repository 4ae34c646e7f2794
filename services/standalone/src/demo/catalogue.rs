//! What is on show: merchants with their stores and stocks. All of it is made up; the cities are real.

use serde_json::{Value, json};

/// A merchant.
pub(super) struct Merchant {
    /// Part of the keys under which it is made.
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    /// How many of a hundred shoppers are its customers.
    pub(super) share: u32,
    pub(super) stores: &'static [Store],
    pub(super) stocks: &'static [Stock],
}

/// A store; the first of a merchant is its busiest.
pub(super) struct Store {
    pub(super) name: &'static str,
    /// Degrees, wgs84.
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

/// A stock of coupons.
pub(super) struct Stock {
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    pub(super) terms: &'static str,
    pub(super) value: Worth,
    pub(super) total: u64,
    /// Where its codes come from.
    pub(super) codes: &'static str,
    /// How often shoppers take it, beside the others of its merchant; 0 is never.
    pub(super) weight: u32,
}

/// What a coupon is worth; amounts in fen.
#[derive(Clone, Copy)]
pub(super) enum Worth {
    Cash { off: i64, minimum: i64 },
    SpendAndSave { off: i64, minimum: i64 },
    Discount { basis_points: u32, minimum: i64 },
    GroupBuy { sku: &'static str, deal: i64, list: i64 },
    Gift { sku: &'static str, price: i64 },
    MultiUse { uses: u32 },
}

impl Worth {
    /// As the API calls the type.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Cash { .. } => "cash",
            Self::SpendAndSave { .. } => "spend_and_save",
            Self::Discount { .. } => "discount",
            Self::GroupBuy { .. } => "group_buy",
            Self::Gift { .. } => "gift",
            Self::MultiUse { .. } => "multi_use",
        }
    }

    /// The `value` of the stock.
    pub(super) fn value(self) -> Value {
        let yuan = |amount: i64| json!({"amount": amount, "currency": "CNY"});
        match self {
            Self::Cash { off, minimum } | Self::SpendAndSave { off, minimum } => {
                json!({"amount_off": yuan(off), "minimum_spend": yuan(minimum)})
            }
            Self::Discount { basis_points, minimum } => {
                json!({"percent_off_bp": basis_points, "minimum_spend": yuan(minimum)})
            }
            Self::GroupBuy { sku, deal, list } => {
                json!({"sku": sku, "deal_price": yuan(deal), "list_price": yuan(list)})
            }
            Self::Gift { sku, .. } => json!({"sku": sku, "quantity": 1}),
            Self::MultiUse { uses } => json!({"uses": uses, "minimum_interval_seconds": 0, "currency": "CNY"}),
        }
    }

    /// The least that an order must come to.
    pub(super) fn minimum(self) -> i64 {
        match self {
            Self::Cash { minimum, .. } | Self::SpendAndSave { minimum, .. } | Self::Discount { minimum, .. } => minimum,
            Self::GroupBuy { list, .. } => list,
            Self::Gift { price, .. } => price,
            Self::MultiUse { .. } => 3_500,
        }
    }

    /// An order that comes to so much.
    pub(super) fn order_of(self, id: &str, amount: i64) -> Value {
        let bare = json!({"id": id, "amount": amount, "currency": "CNY"});
        let (Self::GroupBuy { sku, list: price, .. } | Self::Gift { sku, price }) = self else { return bare };
        if amount < price {
            return bare;
        }
        let line = |id: &str, sku: &str, amount: i64| json!({"id": id, "sku": sku, "quantity": 1, "unit_amount": amount, "amount": amount});
        let lines = json!([line("1", sku, price), line("2", "other", amount - price)]);
        json!({"id": id, "amount": amount, "currency": "CNY", "lines": lines})
    }
}

const fn store(name: &'static str, latitude: f64, longitude: f64) -> Store {
    Store { name, latitude, longitude }
}

/// The stock of which too much is wanted: little at a time, at known moments.
pub(super) const HOT: &str = "flash";
/// What remains of it is nearly nothing.
pub(super) const SCARCE: &str = "tasting";
/// Its codes are printed ahead.
pub(super) const PRINTED: &str = "printed";
/// Its codes are the merchant's own.
pub(super) const OWN: &str = "own";
/// The merchant where what is to be reviewed waits for somebody.
pub(super) const REVIEW_HOLDS: &str = "cinema";
/// The merchant whose tills are the least well kept.
pub(super) const LOOSE: &str = "hotpot";
/// The merchant that was penalised, and that no shopper visits.
pub(super) const PENALISED: usize = 4;

/// All merchants; the first is the one of the session to paste.
pub(super) const MERCHANTS: [Merchant; 5] = [
    Merchant {
        slug: "merchant",
        name: "Sample Tea 示例茶铺",
        share: 40,
        stores: &[
            store("Nanjing East Road, Shanghai 上海南京东路店", 31.2380, 121.4840),
            store("Xujiahui, Shanghai 上海徐家汇店", 31.1950, 121.4370),
            store("West Lake, Hangzhou 杭州西湖店", 30.2590, 120.1480),
            store("Guanqian Street, Suzhou 苏州观前街店", 31.3120, 120.6290),
            store("Xinjiekou, Nanjing 南京新街口店", 32.0420, 118.7840),
        ],
        stocks: &[
            Stock {
                slug: "stock",
                name: "满30减5",
                terms: "Spend 30, save 5. 满30元减5元。",
                value: Worth::SpendAndSave { off: 500, minimum: 3_000 },
                total: 1_000_000,
                codes: "generated",
                weight: 5,
            },
            Stock {
                slug: "milk-tea",
                name: "Milk tea voucher 奶茶代金券",
                terms: "8 off from 25. 满25元可用，立减8元。",
                value: Worth::Cash { off: 800, minimum: 2_500 },
                total: 5_000_000,
                codes: "generated",
                weight: 4,
            },
            Stock {
                slug: HOT,
                name: "Flash sale: 10 off 秒杀十元券",
                terms: "One each, from 20; every few minutes there are more. 每人限领一张，满20元可用。",
                value: Worth::Cash { off: 1_000, minimum: 2_000 },
                total: 60,
                codes: "generated",
                weight: 0,
            },
            Stock {
                slug: SCARCE,
                name: "Tasting cup 新品试饮",
                terms: "One tasting cup. 新品试饮一杯。",
                value: Worth::Gift { sku: "tasting-cup", price: 1_200 },
                total: 300,
                codes: "generated",
                weight: 0,
            },
        ],
    },
    Merchant {
        slug: "bakery",
        name: "Lotus Bakery 莲花烘焙",
        share: 25,
        stores: &[
            store("Sanlitun, Beijing 北京三里屯店", 39.9340, 116.4550),
            store("Zhongguancun, Beijing 北京中关村店", 39.9830, 116.3160),
            store("Xidan, Beijing 北京西单店", 39.9110, 116.3740),
            store("Binjiang Road, Tianjin 天津滨江道店", 39.1200, 117.1970),
        ],
        stocks: &[
            Stock {
                slug: "fifteen",
                name: "15 % off 八五折",
                terms: "15 % off from 20. 满20元享八五折。",
                value: Worth::Discount { basis_points: 1_500, minimum: 2_000 },
                total: 5_000_000,
                codes: "generated",
                weight: 4,
            },
            Stock {
                slug: "croissant",
                name: "A croissant on the house 赠可颂",
                terms: "One croissant with any order. 任意消费赠可颂一个。",
                value: Worth::Gift { sku: "croissant", price: 1_500 },
                total: 5_000_000,
                codes: "generated",
                weight: 2,
            },
        ],
    },
    Merchant {
        slug: "hotpot",
        name: "Panda Hotpot 熊猫火锅",
        share: 15,
        stores: &[
            store("Chunxi Road, Chengdu 成都春熙路店", 30.6570, 104.0780),
            store("Kuanzhai Alley, Chengdu 成都宽窄巷子店", 30.6640, 104.0530),
            store("Jiefangbei, Chongqing 重庆解放碑店", 29.5570, 106.5770),
            store("Guanyinqiao, Chongqing 重庆观音桥店", 29.5760, 106.5330),
        ],
        stocks: &[
            Stock {
                slug: "two",
                name: "Dinner for two 双人套餐团购券",
                terms: "The set for two. 双人套餐一份。",
                value: Worth::GroupBuy { sku: "set-for-two", deal: 12_800, list: 19_800 },
                total: 5_000_000,
                codes: "generated",
                weight: 2,
            },
            Stock {
                slug: "thirty",
                name: "满200减30",
                terms: "Spend 200, save 30. 满200元减30元。",
                value: Worth::SpendAndSave { off: 3_000, minimum: 20_000 },
                total: 5_000_000,
                codes: "generated",
                weight: 4,
            },
            Stock {
                slug: "lunch",
                name: "Lunch voucher 午市代金券",
                terms: "20 off from 100. 满100元减20元。",
                value: Worth::Cash { off: 2_000, minimum: 10_000 },
                total: 5_000_000,
                codes: "generated",
                weight: 3,
            },
            Stock {
                slug: PRINTED,
                name: "Printed leaflets 传单纸质券",
                terms: "10 off from 80. 满80元减10元。",
                value: Worth::Cash { off: 1_000, minimum: 8_000 },
                total: 2_000,
                codes: "pool",
                weight: 0,
            },
        ],
    },
    Merchant {
        slug: "cinema",
        name: "Harbour Cinema 海港影院",
        share: 20,
        stores: &[
            store("Tianhe, Guangzhou 广州天河店", 23.1360, 113.3270),
            store("Futian, Shenzhen 深圳福田店", 22.5410, 114.0590),
            store("Nanshan, Shenzhen 深圳南山店", 22.5330, 113.9300),
            store("Zhongshan Road, Xiamen 厦门中山路店", 24.4560, 118.0790),
        ],
        stocks: &[
            Stock {
                slug: "pass",
                name: "Ten films 观影次卡",
                terms: "Ten films. 可观影十次。",
                value: Worth::MultiUse { uses: 10 },
                total: 5_000_000,
                codes: "generated",
                weight: 2,
            },
            Stock {
                slug: "popcorn",
                name: "Popcorn and a film 爆米花满减",
                terms: "12 off from 60. 满60元减12元。",
                value: Worth::SpendAndSave { off: 1_200, minimum: 6_000 },
                total: 5_000_000,
                codes: "generated",
                weight: 4,
            },
            Stock {
                slug: OWN,
                name: "Members' own codes 会员自有码",
                terms: "15 off from 50. 满50元减15元。",
                value: Worth::Cash { off: 1_500, minimum: 5_000 },
                total: 100,
                codes: "imported",
                weight: 0,
            },
        ],
    },
    Merchant {
        slug: "noodles",
        name: "Golden Noodle 金面馆",
        share: 0,
        stores: &[
            store("Bell Tower, Xi'an 西安钟楼店", 34.2610, 108.9420),
            store("Jianghan Road, Wuhan 武汉江汉路店", 30.5810, 114.2870),
        ],
        stocks: &[Stock {
            slug: "noodle",
            name: "Noodle voucher 面馆代金券",
            terms: "6 off from 20. 满20元减6元。",
            value: Worth::Cash { off: 600, minimum: 2_000 },
            total: 10_000,
            codes: "generated",
            weight: 0,
        }],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_is_on_show_and_all_shoppers_have_a_merchant() {
        let kinds: BTreeSet<_> = MERCHANTS.iter().flat_map(|one| one.stocks).map(|stock| stock.value.kind()).collect();
        assert_eq!(kinds, ["cash", "discount", "gift", "group_buy", "multi_use", "spend_and_save"].into());
        assert_eq!(MERCHANTS.iter().map(|one| one.share).sum::<u32>(), 100);
        let slugs: Vec<_> = MERCHANTS.iter().flat_map(|one| one.stocks).map(|stock| stock.slug).collect();
        assert_eq!(slugs.iter().collect::<BTreeSet<_>>().len(), slugs.len(), "keys are made of them");
        for merchant in MERCHANTS.iter().filter(|one| one.share > 0) {
            assert!(merchant.stocks.iter().any(|stock| stock.weight > 0), "{}", merchant.name);
        }
    }

    #[test]
    fn the_lines_of_an_order_come_to_its_amount() {
        for stock in MERCHANTS.iter().flat_map(|one| one.stocks) {
            let order = stock.value.order_of("o", stock.value.minimum() * 2);
            let Some(lines) = order["lines"].as_array() else { continue };
            let sum: i64 = lines.iter().filter_map(|line| line["amount"].as_i64()).sum();
            assert_eq!(Some(sum), order["amount"].as_i64(), "{}", stock.name);
        }
    }
}
