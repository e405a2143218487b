//! Meals: forty numbers of which most were not recorded.

use super::{
    Reader,
    database::From,
    record::{self, Frame},
    tables::Measure,
};
use crate::import::ReadError;

const TABLE: &str = "nutrition_record_table";

/// A column in grams, our type, the unit of a type that HealthKit does not have.
const NUTRIENTS: &[[&str; 3]] = &[
    ["biotin", "dietaryBiotin", ""],
    ["caffeine", "dietaryCaffeine", ""],
    ["calcium", "dietaryCalcium", ""],
    ["chloride", "dietaryChloride", ""],
    ["cholesterol", "dietaryCholesterol", ""],
    ["chromium", "dietaryChromium", ""],
    ["copper", "dietaryCopper", ""],
    ["dietary_fiber", "dietaryFiber", ""],
    ["folate", "dietaryFolate", ""],
    ["folic_acid", "dietaryFolicAcid", "mcg"],
    ["iodine", "dietaryIodine", ""],
    ["iron", "dietaryIron", ""],
    ["magnesium", "dietaryMagnesium", ""],
    ["manganese", "dietaryManganese", ""],
    ["molybdenum", "dietaryMolybdenum", ""],
    ["monounsaturated_fat", "dietaryFatMonounsaturated", ""],
    ["niacin", "dietaryNiacin", ""],
    ["pantothenic_acid", "dietaryPantothenicAcid", ""],
    ["phosphorus", "dietaryPhosphorus", ""],
    ["polyunsaturated_fat", "dietaryFatPolyunsaturated", ""],
    ["potassium", "dietaryPotassium", ""],
    ["protein", "dietaryProtein", ""],
    ["riboflavin", "dietaryRiboflavin", ""],
    ["saturated_fat", "dietaryFatSaturated", ""],
    ["selenium", "dietarySelenium", ""],
    ["sodium", "dietarySodium", ""],
    ["sugar", "dietarySugar", ""],
    ["thiamin", "dietaryThiamin", ""],
    ["total_carbohydrate", "dietaryCarbohydrates", ""],
    ["total_fat", "dietaryFatTotal", ""],
    ["trans_fat", "dietaryFatTrans", "g"],
    ["unsaturated_fat", "dietaryFatUnsaturated", "g"],
    ["vitamin_a", "dietaryVitaminA", ""],
    ["vitamin_b12", "dietaryVitaminB12", ""],
    ["vitamin_b6", "dietaryVitaminB6", ""],
    ["vitamin_c", "dietaryVitaminC", ""],
    ["vitamin_d", "dietaryVitaminD", ""],
    ["vitamin_e", "dietaryVitaminE", ""],
    ["vitamin_k", "dietaryVitaminK", ""],
    ["zinc", "dietaryZinc", ""],
];

/// The same of small calories.
const ENERGIES: &[[&str; 3]] = &[
    ["energy", "dietaryEnergyConsumed", ""],
    ["energy_from_fat", "dietaryEnergyFromFat", "kcal"],
];

const MEALS: &[&str] = &["unknown", "breakfast", "lunch", "dinner", "snack"];

/// Reads all meals; the numbers of one belong together.
pub(super) fn read(reader: &mut Reader<'_, '_, '_>) -> Result<(), ReadError> {
    let database = reader.database;
    if !database.has(TABLE) {
        return Ok(());
    }
    let measures: Vec<(&str, Measure)> = [(ENERGIES, "cal"), (NUTRIENTS, "g")]
        .into_iter()
        .flat_map(|(list, unit)| {
            list.iter()
                .map(move |[column, kind, own]| (*column, Measure::new(kind, unit, own)))
        })
        .collect();
    let mut columns = record::with(&[("r", "meal_type"), ("r", "meal_name")]);
    columns.extend(measures.iter().map(|(column, _)| ("r", *column)));
    database.rows(&From::one(TABLE), &columns, &mut |cells| {
        let mut members = Vec::new();
        for (column, measure) in &measures {
            let Some(number) = cells.number("r", column) else {
                continue;
            };
            let sample = Frame::read(cells, &mut reader.writers).and_then(|mut frame| {
                let entries = &mut frame.metadata.entries;
                let meal = cells.integer("r", "meal_type").filter(|meal| *meal > 0);
                let meal = meal.and_then(|meal| MEALS.get(usize::try_from(meal).ok()?));
                if let Some(meal) = meal {
                    entries.push(("meal".to_owned(), (*meal).to_owned()));
                }
                if let Some(name) = cells.text("r", "meal_name") {
                    entries.push(("HKFoodType".to_owned(), name));
                }
                Ok(measure.sample(measure.value(Some(number))?, frame))
            });
            match sample {
                Ok(sample) => members.push(sample),
                Err(reason) => {
                    // The time of the meal is that of all its numbers.
                    reader.skip(reason);
                    return Ok(());
                }
            }
        }
        if members.is_empty() {
            reader.skip("meals without a number");
        }
        reader.hand_on_together("food", members)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kind::Kind, unit::Conversion};

    #[test]
    fn every_nutrient_has_a_unit_that_converts() {
        for (list, from) in [(NUTRIENTS, "g"), (ENERGIES, "cal")] {
            for [column, kind, own] in list {
                let to = Kind::stored(kind).unit().unwrap_or(own);
                assert!(Conversion::between(from, to).is_some(), "{column}: {to:?}");
            }
        }
    }
}
