//! An electrocardiogram, a csv file beside Apple's export, in the language of the phone.

use crate::exports;

/// It gives voltages or is told as damaged; the export beside it is read all the same.
pub fn run(data: &[u8]) -> bool {
    exports::beside("electrocardiograms/ecg_2020-09-24.csv", data)
}

/// Files of several languages, and what goes wrong with them.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const ENGLISH: &str = "Name,Ana\nDate of Birth,\"Jun 15, 1985\"\nRecorded Date,2020-09-24 19:53:36 +0200\n\
        Classification,Sinus Rhythm\nSymptoms,\nSoftware Version,1.90\nDevice,\"Watch5,4\"\n\
        Sample Rate,512.844 hertz\n\n\nLead,Lead I\nUnit,µV\n\n-265.868\n10.5\n1e3\n";
    const JAPANESE: &str = "名前,山田\n生年月日,\"1985年6月15日\"\n記録日,2020-09-24 19:53:36 +0200\n\
        分類,洞調律\n症状,\nソフトウェアバージョン,1.90\nデバイス,\"Watch5,4\"\n\
        サンプルレート,512ヘルツ\n\n\n誘導,第I誘導\n単位,mV\n\n-265,868\n10.5\n\u{2212}1,25\n";
    vec![
        ("english", ENGLISH.into()),
        ("japanese", JAPANESE.into()),
        ("slow", ENGLISH.replace("512.844", "0.0000001").into()),
        ("zero", ENGLISH.replace("512.844", "0").into()),
        ("endless", ENGLISH.replace("10.5", "1e999").into()),
        (
            "huge",
            ENGLISH.replace("µV", "V").replace("1e3", "1e308").into(),
        ),
        ("late", ENGLISH.replace("2020-09-24", "9999-12-31").into()),
        ("foreign-unit", ENGLISH.replace("µV", "furlongV").into()),
        ("strange", ENGLISH.replace("10.5", "ten").into()),
        (
            "long-line",
            ENGLISH.replace("10.5", &"1".repeat(5000)).into(),
        ),
        ("quotes", ENGLISH.replace("Sinus Rhythm", "\"a\"\"b").into()),
        ("head", ENGLISH.as_bytes()[..ENGLISH.len() / 2].to_vec()),
        ("not-utf8", [ENGLISH.as_bytes(), &[0xff, b'\n']].concat()),
    ]
}
