#!/usr/bin/env python3
"""Makes a synthetic Apple Health export, in the shape of HealthKit Export Version 14.

SYNTHETIC DATA: every value comes from a random number generator. Nothing here is anyone's data; what
it writes may be copied freely, under the licences of this project (MIT OR Apache-2.0).

  scripts/gen-export.py --records 500000 --out DIR

writes DIR/apple_health_export/{export.xml,export_cda.xml,workout-routes/*.gpx,
electrocardiograms/ecg_*.csv} and DIR/export.zip. The same arguments give the same bytes, the archive
too (fixed timestamps).

The mix of types follows the census of a real export of 7.4 million records that was published with a
pull request (neiltron/apple-health-mcp, 27): ActiveEnergy 32 %, HeartRate 15 %, BasalEnergy 15 %. Steps
and distance come from BOTH iPhone and Apple Watch with overlapping intervals, as in life. Blood
pressure: a Correlation, and the same two Records at top level, as the DTD's note says. HKDevice
pointers are fixed for each block of a type and change with --seed; --device-seed changes only them
(a second export of the same data has other pointers).

A second export of the same data, with other settings of the phone: --offset, --units metric, --plain-names
(straight quotes, ordinary spaces), --device-seed, --shuffle (another order), --ecg-locale. --twins N adds N pairs
of records with equal keys and different values. --export-version makes what an older phone wrote: none (iOS 8,
no DTD, compact dates, metadata as attributes), 3, 8 (points of routes in the export), 11, 12, 13."""
import argparse, os, random, zipfile
from datetime import datetime, timedelta, timezone

DTD = '''<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 14 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout|ActivitySummary|ClinicalRecord|Audiogram|VisionPrescription)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
<!ELEMENT ExportDate EMPTY>
<!ATTLIST ExportDate
  value CDATA #REQUIRED
>
<!ELEMENT Me EMPTY>
<!ATTLIST Me
  HKCharacteristicTypeIdentifierDateOfBirth                   CDATA #REQUIRED
  HKCharacteristicTypeIdentifierBiologicalSex                 CDATA #REQUIRED
  HKCharacteristicTypeIdentifierBloodType                     CDATA #REQUIRED
  HKCharacteristicTypeIdentifierFitzpatrickSkinType           CDATA #REQUIRED
  HKCharacteristicTypeIdentifierCardioFitnessMedicationsUse   CDATA #REQUIRED
>
<!ELEMENT Record ((MetadataEntry|HeartRateVariabilityMetadataList)*)>
<!ATTLIST Record
  type          CDATA #REQUIRED
  unit          CDATA #IMPLIED
  value         CDATA #IMPLIED
  sourceName    CDATA #REQUIRED
  sourceVersion CDATA #IMPLIED
  device        CDATA #IMPLIED
  creationDate  CDATA #IMPLIED
  startDate     CDATA #REQUIRED
  endDate       CDATA #REQUIRED
>
<!-- Note: Any Records that appear as children of a correlation also appear as top-level records in this document. -->
<!ELEMENT Correlation ((MetadataEntry|Record)*)>
<!ATTLIST Correlation
  type          CDATA #REQUIRED
  sourceName    CDATA #REQUIRED
  sourceVersion CDATA #IMPLIED
  device        CDATA #IMPLIED
  creationDate  CDATA #IMPLIED
  startDate     CDATA #REQUIRED
  endDate       CDATA #REQUIRED
>
<!ELEMENT Workout ((MetadataEntry|WorkoutEvent|WorkoutRoute|WorkoutStatistics)*)>
<!ATTLIST Workout
  workoutActivityType   CDATA #REQUIRED
  duration              CDATA #IMPLIED
  durationUnit          CDATA #IMPLIED
  totalDistance         CDATA #IMPLIED
  totalDistanceUnit     CDATA #IMPLIED
  totalEnergyBurned     CDATA #IMPLIED
  totalEnergyBurnedUnit CDATA #IMPLIED
  sourceName            CDATA #REQUIRED
  sourceVersion         CDATA #IMPLIED
  device                CDATA #IMPLIED
  creationDate          CDATA #IMPLIED
  startDate             CDATA #REQUIRED
  endDate               CDATA #REQUIRED
>
<!ELEMENT WorkoutEvent ((MetadataEntry)*)>
<!ATTLIST WorkoutEvent
  type                 CDATA #REQUIRED
  date                 CDATA #REQUIRED
  duration             CDATA #IMPLIED
  durationUnit         CDATA #IMPLIED
>
<!ELEMENT WorkoutStatistics EMPTY>
<!ATTLIST WorkoutStatistics
  type                 CDATA #REQUIRED
  startDate            CDATA #REQUIRED
  endDate              CDATA #REQUIRED
  average              CDATA #IMPLIED
  minimum              CDATA #IMPLIED
  maximum              CDATA #IMPLIED
  sum                  CDATA #IMPLIED
  unit                 CDATA #IMPLIED
>
<!ELEMENT WorkoutRoute ((MetadataEntry|FileReference)*)>
<!ATTLIST WorkoutRoute
  sourceName    CDATA #REQUIRED
  sourceVersion CDATA #IMPLIED
  device        CDATA #IMPLIED
  creationDate  CDATA #IMPLIED
  startDate     CDATA #REQUIRED
  endDate       CDATA #REQUIRED
>
<!ELEMENT FileReference EMPTY>
<!ATTLIST FileReference
  path CDATA #REQUIRED
>
<!ELEMENT ActivitySummary EMPTY>
<!ATTLIST ActivitySummary
  dateComponents           CDATA #IMPLIED
  activeEnergyBurned       CDATA #IMPLIED
  activeEnergyBurnedGoal   CDATA #IMPLIED
  activeEnergyBurnedUnit   CDATA #IMPLIED
  appleMoveTime            CDATA #IMPLIED
  appleMoveTimeGoal        CDATA #IMPLIED
  appleExerciseTime        CDATA #IMPLIED
  appleExerciseTimeGoal    CDATA #IMPLIED
  appleStandHours          CDATA #IMPLIED
  appleStandHoursGoal      CDATA #IMPLIED
>
<!ELEMENT MetadataEntry EMPTY>
<!ATTLIST MetadataEntry
  key   CDATA #REQUIRED
  value CDATA #REQUIRED
>
<!-- Note: Heart Rate Variability records captured by Apple Watch may include an associated list of instantaneous beats-per-minute readings. -->
<!ELEMENT HeartRateVariabilityMetadataList (InstantaneousBeatsPerMinute*)>
<!ELEMENT InstantaneousBeatsPerMinute EMPTY>
<!ATTLIST InstantaneousBeatsPerMinute
  bpm  CDATA #REQUIRED
  time CDATA #REQUIRED
>%s
]>
'''
DTD16 = '''
<!ELEMENT VisionPrescription ((RightEye|LeftEye|Attachment|MetadataEntry)*)>
<!ATTLIST VisionPrescription
  type             CDATA #REQUIRED
  dateIssued       CDATA #REQUIRED
  expirationDate   CDATA #REQUIRED
  brand            CDATA #IMPLIED
<!ELEMENT RightEye EMPTY>
<!ATTLIST RightEye
  sphere           CDATA #IMPLIED
  sphereUnit       CDATA #IMPLIED
>
<!ELEMENT LeftEye EMPTY>
<!ATTLIST LeftEye
  sphere           CDATA #IMPLIED
  sphereUnit       CDATA #IMPLIED
>
>'''    # iOS 16.0 (Export Version 12): ATTLIST of VisionPrescription never closed, one '>' too many before ']>'

# A real export prints EVERY date with ONE offset: that of the phone on the day of the export,
# summer and winter alike.  --offset makes "the same data, exported in summer".
_cache = {}; OFF = -5
def f(ts):
    """epoch s -> 'YYYY-MM-DD HH:MM:SS -0500'"""
    h = ts // 3600
    c = _cache.get(h)
    if c is None:
        c = _cache[h] = ((datetime(1970, 1, 1) + timedelta(hours=h + OFF)).strftime('%Y-%m-%d %H:'), ' %s%02d00' % ('-' if OFF < 0 else '+', abs(OFF)))
        if len(_cache) > 200000: _cache.clear()
    s = ts - h * 3600
    return '%s%02d:%02d%s' % (c[0], s // 60, s % 60, c[1])

# Every word but the date and the device follows the language of the phone.
ECG = {
    'en': 'Name,Test Person\nDate of Birth,"Jun 15, 1985"\nRecorded Date,%s\nClassification,Sinus Rhythm\nSymptoms,\nSoftware Version,2.0\nDevice,"Watch6,2"\nSample Rate,512 hertz\n\n\nLead,Lead I\nUnit,\u00b5V\n\n',
    'pt': 'Nome,Test Person\nData de nascimento,"15/06/1985"\nData de grava\u00e7\u00e3o,%s\nClassifica\u00e7\u00e3o,Ritmo sinusal\nSintomas,\nVers\u00e3o do software,2.0\nDispositivo,"Watch6,2"\nTaxa de amostragem,512 hertz\n\n\nDeriva\u00e7\u00e3o,Deriva\u00e7\u00e3o I\nUnidade,\u00b5V\n\n',
    'ja': '\u540d\u524d,Test Person\n\u751f\u5e74\u6708\u65e5,"1985\u5e746\u670815\u65e5"\n\u8a18\u9332\u65e5,%s\n\u5206\u985e,\u6d1e\u8abf\u5f8b\n\u75c7\u72b6,\n\u30bd\u30d5\u30c8\u30a6\u30a7\u30a2\u30d0\u30fc\u30b8\u30e7\u30f3,2.0\n\u30c7\u30d0\u30a4\u30b9,"Watch6,2"\n\u30b5\u30f3\u30d7\u30eb\u30ec\u30fc\u30c8,512\u30d8\u30eb\u30c4\n\n\n\u8a98\u5c0e,\u7b2cI\u8a98\u5c0e\n\u5358\u4f4d,\u00b5V\n\n',
}

def shuffle(path, seed):
    """Puts the elements below the root into another order. In memory: for small exports."""
    text = open(path, encoding='utf-8', newline='').read()
    head, rest = text.split('<HealthData ', 1)
    lines = rest.splitlines(keepends=True)
    elements, tail = [], ''
    for line in lines[2:]:
        if line.startswith('</HealthData>'): tail = line
        elif line.startswith(' <') and not line.startswith(' </'): elements.append(line)
        else: elements[-1] += line
    random.Random(seed).shuffle(elements)
    with open(path, 'w', encoding='utf-8', newline='') as o: o.write(head + '<HealthData ' + ''.join(lines[:2]) + ''.join(elements) + tail)

def ios8(a):
    """iOS 8: no DTD, `source`, compact dates, hours added up, metadata as attributes with spaces in their names."""
    R = random.Random(a.seed); n = a.records
    start = int(datetime.fromisoformat('2014-10-01T00:00:00').replace(tzinfo=timezone.utc).timestamp())
    date = lambda ts: (datetime(1970, 1, 1) + timedelta(seconds=ts, hours=a.offset)).strftime('%Y%m%d%H%M%S') + '%+03d00' % a.offset
    base = os.path.join(a.out, 'apple_health_export'); os.makedirs(base, exist_ok=True)
    path = os.path.join(base, a.xml_name)
    with open(path, 'w', encoding='utf-8', newline='\n') as o:
        o.write('<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="%s">\n <ExportDate value="%s"/>\n' % (a.locale, date(start + n * 3600)))
        for k in range(n):
            s = start + k * 3600
            if k % 10: o.write(' <Record type="HKQuantityTypeIdentifierStepCount" source="%s" unit="count" startDate="%s" endDate="%s" value="%d" recordCount="%d"/>\n' % (PHONE, date(s), date(s + 3600), R.randint(1, 5000), R.randint(1, 60)))
            else: o.write(' <Record type="HKQuantityTypeIdentifierBodyMass" source="Health Mate" unit="lb" startDate="%s" endDate="%s" value="%.1f" Withings User Identifier="12345" Modified Date="2014-10-14"/>\n' % (date(s), date(s), R.uniform(150, 160)))
        o.write('</HealthData>\n')
    if not a.no_zip:
        zi = zipfile.ZipInfo('apple_health_export/' + a.xml_name, (2014, 10, 14, 1, 0, 0)); zi.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(os.path.join(a.out, a.zip_name), 'w') as z: z.writestr(zi, open(path, 'rb').read())
    print('Records %d' % n)

PHONE, WATCH = 'Alex\u2019s iPhone', 'Alex\u2019s Apple\u00a0Watch'

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--records', type=int, default=500000)
    ap.add_argument('--out', default='.')
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--device-seed', type=int, default=None)
    ap.add_argument('--end', default='2026-01-10')
    ap.add_argument('--days', type=int, default=0, help='0 = records/2000, at least 30')
    ap.add_argument('--locale', default='en_US')
    ap.add_argument('--xml-name', default='export.xml')
    ap.add_argument('--zip-name', default='export.zip')
    ap.add_argument('--no-zip', action='store_true')
    ap.add_argument('--defect', choices=['none', 'dtd16', 'vt', 'truncated'], default='none')
    ap.add_argument('--routes', type=int, default=3)
    ap.add_argument('--ecgs', type=int, default=1)
    ap.add_argument('--offset', type=int, default=-5, help='whole hours east of UTC of the exporting phone')
    ap.add_argument('--units', choices=['us', 'metric'], default='us')
    ap.add_argument('--plain-names', action='store_true')
    ap.add_argument('--shuffle', type=int, default=0, help='another order of elements; a seed')
    ap.add_argument('--ecg-locale', choices=['en', 'pt', 'ja'], default='en')
    ap.add_argument('--twins', type=int, default=0)
    ap.add_argument('--others', type=int, default=2, help='hearing tests, prescriptions, moods, clinical records: so many of each')
    ap.add_argument('--export-version', choices=['none', '3', '8', '11', '12', '13', '14'], default='14')
    a = ap.parse_args()
    if a.export_version == 'none': return ios8(a)
    version = int(a.export_version)
    global OFF; OFF = a.offset
    R = random.Random(a.seed); D = random.Random(a.seed * 7919 + 1 if a.device_seed is None else a.device_seed)
    days = a.days or max(30, a.records // 2000)
    end = int(datetime.fromisoformat(a.end + 'T05:00:00').replace(tzinfo=timezone.utc).timestamp())
    start = end - days * 86400
    base = os.path.join(a.out, 'apple_health_export')
    for d in ('workout-routes', 'electrocardiograms'): os.makedirs(os.path.join(base, d), exist_ok=True)

    def dev(kind):
        p = '0x%x' % D.randrange(0x280000000, 0x2ffffffff, 16)
        if kind == 'w':
            return '&lt;&lt;HKDevice: %s&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,2, software:11.2, creation date:2025-08-14 23:49:07 +0000&gt;' % p
        return '&lt;&lt;HKDevice: %s&gt;, name:iPhone, manufacturer:Apple Inc., model:iPhone, hardware:iPhone15,3, software:18.2&gt;' % p
    P, W = PHONE, WATCH
    if a.plain_names: P, W = (n.replace('\u2019', "'").replace('\u00a0', ' ') for n in (P, W))
    # What is not a record has dice of its own, so that records do not depend on it.
    N = random.Random(a.seed * 104729 + 7)
    metric = {'Cal': ('kJ', 4.184), 'mi': ('km', 1.609344), 'mi/hr': ('km/hr', 1.609344), 'lb': ('kg', .45359237), 'fl_oz_us': ('mL', 29.5735295625)}
    def inunit(unit, text):
        """What the phone prints for a value, in the units that the person prefers."""
        if a.units == 'us' or unit not in metric: return unit, text
        name, factor = metric[unit]
        return name, '%.*f' % (len(text.partition('.')[2]) + 1, float(text) * factor)
    Q = 'HKQuantityTypeIdentifier'
    # type, unit, share, source, gap?, value fn, duration range s
    mix = [
        (Q+'HeartRate', 'count/min', .15, W, lambda: '%d' % R.randint(48, 165), 0),
        (Q+'ActiveEnergyBurned', 'Cal', .32, W, lambda: '%.3f' % R.expovariate(1/0.6), 60),
        (Q+'BasalEnergyBurned', 'Cal', .15, W, lambda: '%.3f' % R.uniform(.1, 19), 600),
        (Q+'StepCount', 'count', .05, P, lambda: '%d' % R.randint(3, 900), 540),
        (Q+'StepCount', 'count', .06, W, lambda: '%d' % R.randint(3, 700), 480),
        (Q+'DistanceWalkingRunning', 'mi', .05, P, lambda: '%.6f' % R.uniform(.002, .5), 540),
        (Q+'DistanceWalkingRunning', 'mi', .05, W, lambda: '%.7f' % R.uniform(.002, .05), 60),
        (Q+'FlightsClimbed', 'count', .005, P, lambda: '%d' % R.randint(1, 6), 120),
        (Q+'AppleExerciseTime', 'min', .02, W, lambda: '1', 60),
        (Q+'AppleStandTime', 'min', .03, W, lambda: '%d' % R.randint(1, 5), 300),
        (Q+'RespiratoryRate', 'count/min', .02, W, lambda: '%.1f' % R.uniform(11, 20), 0),
        (Q+'OxygenSaturation', '%', .015, W, lambda: '%.2f' % R.uniform(.91, 1), 0),
        (Q+'RestingHeartRate', 'count/min', .002, W, lambda: '%d' % R.randint(48, 66), 80000),
        (Q+'VO2Max', 'mL/min\u00b7kg', .0005, W, lambda: '%.2f' % R.uniform(36, 48), 0),
        (Q+'WalkingSpeed', 'mi/hr', .015, P, lambda: '%.4f' % R.uniform(1.8, 3.6), 60),
        (Q+'PhysicalEffort', 'kcal/hr\u00b7kg', .02, W, lambda: '%.1f' % R.uniform(1, 9), 300),
        (Q+'EnvironmentalAudioExposure', 'dBASPL', .01, W, lambda: '%.4f' % R.uniform(35, 88), 1800),
        (Q+'BodyMass', 'lb', .0005, 'Withings', lambda: '%.2f' % R.uniform(150, 160), 0),
        (Q+'DietaryWater', 'fl_oz_us', .0005, 'Water \u2014 H\u2082O \U0001F4A7', lambda: '%.1f' % R.uniform(4, 24), 0),
    ]
    def meta(kv): return ''.join('  <MetadataEntry key="%s" value="%s"/>\n' % x for x in kv)
    xml = os.path.join(base, a.xml_name)
    made = 0; routes = []; clinical = []
    with open(xml, 'w', encoding='utf-8', newline='\n', buffering=1 << 20) as o:
        w = o.write
        w('<?xml version="1.0" encoding="UTF-8"?>\n'); w((DTD % (DTD16 if a.defect == 'dtd16' else '')).replace('Version: 14', 'Version: %d' % version))
        w('<HealthData locale="%s">\n <ExportDate value="%s"/>\n' % (a.locale, f(end + 3600)))
        w(' <Me HKCharacteristicTypeIdentifierDateOfBirth="1985-06-15" HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexNotSet" HKCharacteristicTypeIdentifierBloodType="HKBloodTypeNotSet" HKCharacteristicTypeIdentifierFitzpatrickSkinType="HKFitzpatrickSkinTypeNotSet" HKCharacteristicTypeIdentifierCardioFitnessMedicationsUse="None"/>\n')
        bp, nights, hrv = max(4, days // 7), days, max(1, a.records // 400)
        stage_rec = nights * 12
        stand = days * 8
        left = max(0, a.records - 2 * bp - stage_rec - hrv - stand)
        tot = sum(m[2] for m in mix)
        for typ, unit, share, src, val, dur in mix:
            n = int(left * share / tot)
            if not n: continue
            d = '' if src not in (P, W) else ' device="%s"' % dev('w' if src == W else 'p')
            ver = {P: '18.2', W: '11.2'}.get(src, '7.1.1')
            head = ' <Record type="%s" sourceName="%s" sourceVersion="%s"%s unit="%s" creationDate="' % (typ, src, ver, d, inunit(unit, '0')[0])
            hr = typ.endswith('HeartRate'); ue = src not in (P, W)
            step = (end - start) / n; t = float(start)
            for i in range(n):
                t += step * R.uniform(.5, 1.5)
                s = int(t); s = s if s < end else end - 1 - i % 3600
                e = s + (R.randint(1, dur) if dur else 0)
                line = '%s%s" startDate="%s" endDate="%s" value="%s"' % (head, f(e + R.randint(1, 900)), f(s), f(e), inunit(unit, val())[1])
                if hr: w(line + '>\n' + meta([('HKMetadataKeyHeartRateMotionContext', R.randint(0, 2))]) + ' </Record>\n')
                elif ue: w(line + '>\n' + meta([('HKWasUserEntered', 1)]) + ' </Record>\n')
                else: w(line + '/>\n')
            made += n
        # sleep stages (no unit, textual value)
        d = dev('w')
        for k in range(nights):
            t = start + k * 86400 + 3 * 3600 + R.randint(-1800, 1800)
            for j, st in enumerate(['InBed', 'AsleepCore', 'AsleepDeep', 'AsleepCore', 'AsleepREM', 'Awake', 'AsleepCore', 'AsleepDeep', 'AsleepCore', 'AsleepREM', 'AsleepCore', 'AsleepREM']):
                L = 8 * 3600 if j == 0 else R.randint(300, 4200)
                src, dd, ver = (P, '', '18.2') if j == 0 else (W, ' device="%s"' % d, '11.2')
                w(' <Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="%s" sourceVersion="%s"%s creationDate="%s" startDate="%s" endDate="%s" value="HKCategoryValueSleepAnalysis%s">\n%s </Record>\n' % (src, ver, dd, f(t + 30000), f(t), f(t + L), st, meta([('HKTimeZone', 'America/New_York')])))
                made += 1
                if j: t += L
        for k in range(stand):
            s = start + (k // 8) * 86400 + (13 + k % 8) * 3600
            w(' <Record type="HKCategoryTypeIdentifierAppleStandHour" sourceName="%s" sourceVersion="11.2" creationDate="%s" startDate="%s" endDate="%s" value="HKCategoryValueAppleStandHour%s"/>\n' % (W, f(s + 3700), f(s), f(s + 3600), 'Stood' if R.random() < .8 else 'Idle')); made += 1
        # HRV with per beat list; time uses a narrow no-break space before AM/PM as iOS 17+ does
        d = dev('w')
        for k in range(hrv):
            s = start + int((end - start) * (k + R.random()) / hrv)
            w(' <Record type="%sHeartRateVariabilitySDNN" sourceName="%s" sourceVersion="11.2" device="%s" unit="ms" creationDate="%s" startDate="%s" endDate="%s" value="%.4f">\n' % (Q, W, d, f(s + 65), f(s), f(s + 60), R.uniform(18, 95)))
            if version >= 8: w('  <HeartRateVariabilityMetadataList>\n')
            for j in range(20):
                # Local time of the day itself, whatever the offset of the export; HH:MM:SS.ss and a half of the day.
                bpm, t = R.randint(50, 80), s - 5 * 3600 + j * 2.9
                if version >= 8: w('   <InstantaneousBeatsPerMinute bpm="%d" time="%d:%02d:%05.2f\u202f%s"/>\n' % (bpm, (int(t) // 3600 - 1) % 12 + 1, int(t) // 60 % 60, t % 60, 'AM' if int(t) % 86400 < 43200 else 'PM'))
            w('  </HeartRateVariabilityMetadataList>\n </Record>\n' if version >= 8 else ' </Record>\n'); made += 1
        # blood pressure: top-level records, then the Correlation that repeats them
        corr = []
        for k in range(bp):
            s = start + k * 7 * 86400 + 43200 + R.randint(0, 7200)
            if s >= end: s = end - 60 * (k + 1)
            rs = [' <Record type="%sBloodPressure%s" sourceName="OMRON" sourceVersion="6.2" unit="mmHg" creationDate="%s" startDate="%s" endDate="%s" value="%d"/>\n' % (Q, n, f(s + 30), f(s), f(s), v) for n, v in (('Systolic', R.randint(108, 139)), ('Diastolic', R.randint(66, 92)))]
            for r in rs: w(r); made += 1
            corr.append(' <Correlation type="HKCorrelationTypeIdentifierBloodPressure" sourceName="OMRON" sourceVersion="6.2" creationDate="%s" startDate="%s" endDate="%s">\n' % (f(s + 30), f(s), f(s)) + ''.join(' ' + r for r in rs) + ' </Correlation>\n')
        for c in corr: w(c)
        for k in range(a.twins):
            s = start + k * 3600 + 1800
            for v in (N.randint(20, 29), N.randint(30, 39)):
                w(' <Record type="%sDietaryCaffeine" sourceName="Coffee" sourceVersion="1" unit="mg" creationDate="%s" startDate="%s" endDate="%s" value="%d"/>\n' % (Q, f(s + 1), f(s), f(s), v)); made += 1
        # workouts
        nw = max(a.routes, days // 3)
        for k in range(nw):
            s = start + int((end - start) * (k + .3) / nw); L = R.randint(900, 5400); e = s + L
            act = R.choice(['Running', 'Walking', 'Cycling', 'FunctionalStrengthTraining'])
            att = 'workoutActivityType="HKWorkoutActivityType%s" duration="%.10f" durationUnit="min" sourceName="%s" sourceVersion="11.2" device="%s" creationDate="%s" startDate="%s" endDate="%s"' % (act, (L - 60) / 60, W, dev('w'), f(e + 5), f(s), f(e))
            w(' <Workout %s>\n' % att)
            w(meta([('HKIndoorWorkout', 0), ('HKTimeZone', 'America/New_York'), ('HKAverageMETs', '%.4f kcal/hr\u00b7kg' % R.uniform(3, 11)), ('HKElevationAscended', '%d cm' % R.randint(50, 9000))]))
            w('  <WorkoutEvent type="HKWorkoutEventTypePause" date="%s"/>\n  <WorkoutEvent type="HKWorkoutEventTypeResume" date="%s"/>\n' % (f(s + L // 2), f(s + L // 2 + 60)))
            se = 'startDate="%s" endDate="%s"' % (f(s), f(e))
            unit, text = inunit('Cal', '%.3f' % (L / 60 * R.uniform(4, 12)))
            statistics = ['type="%sActiveEnergyBurned" %s sum="%s" unit="%s"' % (Q, se, text, unit)]
            if act != 'FunctionalStrengthTraining':
                unit, text = inunit('mi', '%.5f' % (L / 3600 * R.uniform(3, 8)))
                statistics.append('type="%sDistance%s" %s sum="%s" unit="%s"' % (Q, 'Cycling' if act == 'Cycling' else 'WalkingRunning', se, text, unit))
            statistics.append('type="%sHeartRate" %s average="%.3f" minimum="%d" maximum="%d" unit="count/min"' % (Q, se, R.uniform(100, 150), R.randint(70, 99), R.randint(151, 185)))
            if version >= 12:
                for text in statistics: w('  <WorkoutStatistics %s/>\n' % text)
            if version >= 13:
                w('  <WorkoutActivity uuid="%08X-0000-4000-8000-%012X" startDate="%s" endDate="%s" duration="%.10f" durationUnit="min">\n   <MetadataEntry key="HKIndoorWorkout" value="0"/>\n   <WorkoutStatistics %s/>\n  </WorkoutActivity>\n' % (a.seed, k, f(s), f(e), (L - 60) / 60, statistics[0]))
            if version >= 8 and len(routes) < a.routes and act != 'FunctionalStrengthTraining':
                lt = datetime(1970, 1, 1) + timedelta(seconds=e, hours=-5)
                name = 'route_%s_%d.%02d%s.gpx' % (lt.strftime('%Y-%m-%d'), (lt.hour - 1) % 12 + 1, lt.minute, 'am' if lt.hour < 12 else 'pm')
                routes.append((name, s, L))
                if version == 8:
                    w('  <WorkoutRoute sourceName="%s" sourceVersion="11.2" creationDate="%s" startDate="%s" endDate="%s">\n' % (W, f(e + 5), f(s), f(e)))
                    for j in range(0, L, 2): w('   <Location date="%s" latitude="%.4f" longitude="%.3f" altitude="%.4f" horizontalAccuracy="%.5f" verticalAccuracy="%.5f" course="-1" speed="%.5f"/>\n' % (f(s + j), 40 + j / 1e5, -73 + j / 1e4, N.uniform(5, 50), N.uniform(1, 8), N.uniform(1, 6), N.uniform(1, 4)))
                    w('  </WorkoutRoute>\n')
                else: w('  <WorkoutRoute sourceName="%s" sourceVersion="11.2" creationDate="%s" startDate="%s" endDate="%s">\n   <MetadataEntry key="HKMetadataKeySyncVersion" value="2"/>\n   <FileReference path="/workout-routes/%s"/>\n  </WorkoutRoute>\n' % (W, f(e + 5), f(s), f(e), name))
            w(' </Workout>\n')
        for k in range(days):
            dd = (datetime(1970, 1, 1) + timedelta(seconds=start + k * 86400)).strftime('%Y-%m-%d')
            (unit, energy), goal = inunit('Cal', '%.3f' % R.uniform(150, 900)), inunit('Cal', '500')[1]
            move = {11: 'appleMoveMinutes="0" appleMoveMinutesGoal="0" '}.get(version, 'appleMoveTime="0" appleMoveTimeGoal="0" ' if version > 11 else '')
            w(' <ActivitySummary dateComponents="%s" activeEnergyBurned="%s" activeEnergyBurnedGoal="%s" activeEnergyBurnedUnit="%s" %sappleExerciseTime="%d" appleExerciseTimeGoal="30" appleStandHours="%d" appleStandHoursGoal="12"/>\n' % (dd, energy, goal, unit, move, R.randint(0, 95), R.randint(4, 16)))
        for k in range(a.others):
            s = start + k * 5 * 86400 + 50000
            frame = 'sourceName="%s" sourceVersion="18.2" device="%s" creationDate="%s" startDate="%s" endDate="%s"' % (P, dev('p'), f(s + 400), f(s), f(s + 300))
            if version >= 13:
                w(' <Audiogram type="HKDataTypeIdentifierAudiogram" %s>\n  <MetadataEntry key="HKTimeZone" value="America/New_York"/>\n' % frame)
                for hz in (125, 250, 500, 1000, 2000, 4000, 8000): w('  <SensitivityPoint frequencyValue="%d" frequencyUnit="Hz" leftEarValue="%d" leftEarUnit="dBHL" leftEarMasked="false" rightEarValue="%d" rightEarUnit="dBHL" rightEarMasked="false" rightEarClampingRangeLowerBound="-10"/>\n' % (hz, N.randint(-5, 40), N.randint(-5, 40)))
                w(' </Audiogram>\n')
            if version >= 12:
                eye = lambda: 'sphere="%.2f" sphereUnit="D" cylinder="%.2f" cylinderUnit="D" axis="%d" axisUnit="deg" farPD="%.1f" farPDUnit="mm"' % (-N.randint(0, 16) / 4, -N.randint(0, 6) / 4, N.randint(0, 180), N.uniform(28, 34))
                w(' <VisionPrescription type="%s" dateIssued="%s" expirationDate="%s" brand="Acme">\n  <RightEye %s/>\n  <LeftEye %s/>\n  <Attachment identifier="%08x"/>\n  <MetadataEntry key="HKExternalUUID" value="vision-%d"/>\n </VisionPrescription>\n' % (('glasses', 'contacts')[k % 2], f(s), f(s + 2 * 365 * 86400), eye(), eye(), N.randrange(1 << 32), k))
            if version >= 14:
                w(' <StateOfMind kind="%s" valence="%.3f" labels="calm" associations="work" %s/>\n' % (('momentaryEmotion', 'dailyMood')[k % 2], N.uniform(-1, 1), frame))
            if version >= 8:
                clinical.append(('LabResultRecord-%08X.json' % (a.seed * 1000 + k), N.uniform(3, 7)))
                w(' <ClinicalRecord type="LabResultRecord" identifier="lab-%d" sourceName="Clinic" sourceURL="https://clinic.example/fhir" fhirVersion="4.0.1" receivedDate="%s" resourceFilePath="/clinical-records/%s"/>\n' % (k, f(s), clinical[-1][0]))
        if a.defect == 'vt':
            w(' <Record type="%sDietaryCaffeine" sourceName="Bad\x0bApp" unit="mg" startDate="%s" endDate="%s" value="90"/>\n' % (Q, f(end - 60), f(end - 60))); made += 1
        if a.defect == 'truncated': w(' <Record type="%sStepCount" sourceName="' % Q)
        else: w('</HealthData>\n')
    with open(os.path.join(base, 'export_cda.xml'), 'w') as o:
        o.write('<?xml version="1.0"?>\n<?xml-stylesheet type="text/xsl" href="CDA.xsl"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3">\n <title>Health Data Export</title>\n</ClinicalDocument>\n')
    if a.shuffle: shuffle(xml, a.shuffle)
    if clinical: os.makedirs(os.path.join(base, 'clinical-records'), exist_ok=True)
    for name, value in clinical:
        with open(os.path.join(base, 'clinical-records', name), 'w') as o:
            o.write('{"resourceType": "Observation", "id": "%s", "status": "final", "code": {"text": "Potassium"}, "valueQuantity": {"value": %.2f, "unit": "mmol/L"}}\n' % (name[:-5], value))
    for name, s, L in routes if version != 8 else []:
        lat, lon = 40.0, -73.0
        with open(os.path.join(base, 'workout-routes', name), 'w') as o:
            o.write('<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="Apple Health Export" xmlns="http://www.topografix.com/GPX/1/1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.topografix.com/GPX/1/1 http://www.topografix.com/GPX/1/1/gpx.xsd">\n  <metadata>\n    <time>%s</time>\n  </metadata>\n  <trk>\n    <name>%s</name>\n    <trkseg>\n' % (datetime.fromtimestamp(s, timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'), name[:-4]))
            for j in range(0, L, 2):
                lat += R.uniform(-2e-5, 3e-5); lon += R.uniform(-2e-5, 3e-5)
                o.write('      <trkpt lon="%.6f" lat="%.6f"><ele>%.6f</ele><time>%s</time><extensions><speed>%.6f</speed><course>%.6f</course><hAcc>%.6f</hAcc><vAcc>%.6f</vAcc></extensions></trkpt>\n' % (lon, lat, R.uniform(5, 50), datetime.fromtimestamp(s + j, timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ'), R.uniform(1, 4), R.uniform(0, 360), R.uniform(1, 8), R.uniform(1, 6)))
            o.write('    </trkseg>\n  </trk>\n</gpx>\n')
    for k in range(a.ecgs):
        s = end - 86400 * (k + 1); day = (datetime(1970, 1, 1) + timedelta(seconds=s)).strftime('%Y-%m-%d')
        with open(os.path.join(base, 'electrocardiograms', 'ecg_%s.csv' % day), 'w', encoding='utf-8') as o:
            o.write(ECG[a.ecg_locale] % f(s))
            for j in range(512 * 30):
                text = '%.3f' % (R.gauss(0, 40) + (900 if j % 430 < 8 else 0))
                o.write((text.replace('.', ',') if a.ecg_locale == 'pt' else text) + '\n')
    size = os.path.getsize(xml)
    if not a.no_zip:
        z = os.path.join(a.out, a.zip_name)
        with zipfile.ZipFile(z, 'w', zipfile.ZIP_DEFLATED, compresslevel=6) as zf:
            for root, _, fs in sorted(os.walk(base)):
                for n in sorted(fs):
                    p = os.path.join(root, n)
                    zi = zipfile.ZipInfo(os.path.relpath(p, a.out), (2026, 1, 10, 1, 0, 0)); zi.compress_type = zipfile.ZIP_DEFLATED
                    zi.file_size = os.path.getsize(p)  # Above 2 GiB the entry needs the sizes of zip64.
                    with open(p, 'rb') as i, zf.open(zi, 'w') as q:
                        while b := i.read(1 << 20): q.write(b)
    print('top-level Records %d, Correlations %d (2 nested Records each), Workouts %d, ActivitySummary %d, days %d, routes %d; export.xml %.1f MB' % (made, bp, nw, days, days, len(routes), size / 1e6))
main()
