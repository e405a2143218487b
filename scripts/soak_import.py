"""The part `import` of scripts/soak: an export of some gigabytes, straight out of its zip64 archive.

  scripts/soak_import.py HEALTHSYNC-SERVER MEGABYTES

writes an archive whose export.xml has at least so many megabytes (10^6 bytes; by default that part asks for 5,000),
imports it into a new store, and again. It holds if each import ends well with a peak of resident memory of at most
40 MiB, if the first one adds exactly the records that were written, and if the second one adds nothing. The XML is
never written unpacked, here or by the server: the disk needs room for the archive and for the store. Exit code 77:
there is no such room.

SYNTHETIC DATA: scripts/gen-export.py makes exports that are alike in everything; they take two minutes a gigabyte.
Here a day of a type is printed once and repeated with other dates, which takes seconds: every record is another one."""
import json, os, shutil, subprocess, sys, tempfile, time, zipfile
from datetime import date, timedelta

MOST = 40 << 20    # bytes of resident memory
SPACE = 0.8        # of the XML's size: the archive has a twentieth, the store and its log a third each
SOON = 60 * 60     # seconds an import may take

Q = 'HKQuantityTypeIdentifier'
DAY = '2000-01-01'
WATCH = ('sourceName="Ana\u2019s Apple Watch" sourceVersion="11.2" device="&lt;&lt;HKDevice: 0x301f8b2d0&gt;, name:Apple Watch, '
         'manufacturer:Apple Inc., model:Watch, hardware:Watch7,1, software:11.2&gt;"')
PHONE = ('sourceName="Ana\u2019s iPhone" sourceVersion="18.2" device="&lt;&lt;HKDevice: 0x301f8b2d1&gt;, name:iPhone, '
         'manufacturer:Apple Inc., model:iPhone, hardware:iPhone15,2, software:18.2&gt;"')
MOTION = '  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="1"/>\n'
BEATS = '  <HeartRateVariabilityMetadataList>\n%s  </HeartRateVariabilityMetadataList>\n' % ''.join(
    '   <InstantaneousBeatsPerMinute bpm="%d" time="7:%02d:%05.2f\u202fAM"/>\n' % (60 + i % 9, i // 20, i % 20 * 2.9)
    for i in range(40))

# Type, unit, writer, records a day, children: a watch that is worn day and night, and a phone beside it.
MIX = [
    (Q + 'ActiveEnergyBurned', 'Cal', WATCH, 1200, ''),
    (Q + 'HeartRate', 'count/min', WATCH, 700, MOTION),
    (Q + 'BasalEnergyBurned', 'Cal', WATCH, 600, ''),
    (Q + 'StepCount', 'count', WATCH, 200, ''),
    (Q + 'StepCount', 'count', PHONE, 150, ''),
    (Q + 'DistanceWalkingRunning', 'mi', WATCH, 300, ''),
    (Q + 'OxygenSaturation', '%', WATCH, 60, ''),
    (Q + 'HeartRateVariabilitySDNN', 'ms', WATCH, 8, BEATS),
]


def clock(second):
    return '%s %02d:%02d:%02d -0500' % (DAY, second // 3600, second // 60 % 60, second % 60)


def records(kind, unit, writer, count, children):
    """The records of a type on one day."""
    for i in range(count):
        start = i * 86000 // count
        line = ' <Record type="%s" %s unit="%s" creationDate="%s" startDate="%s" endDate="%s" value="%.5g"' % (
            kind, writer, unit, clock(start + 90), clock(start), clock(start + 60), 1 + i * 7919 % 997 / 10)
        yield line + ('>\n%s </Record>\n' % children if children else '/>\n')


def workout():
    """A workout of one day, and what closes the day's rings."""
    frame = 'startDate="%s" endDate="%s"' % (clock(30000), clock(33600))
    return (' <Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="60" durationUnit="min" %s creationDate="%s" %s>\n'
            '  <WorkoutEvent type="HKWorkoutEventTypePause" date="%s"/>\n'
            '  <WorkoutStatistics type="%sActiveEnergyBurned" %s sum="500" unit="Cal"/>\n </Workout>\n'
            ' <ActivitySummary dateComponents="%s" activeEnergyBurned="500" activeEnergyBurnedGoal="500" '
            'activeEnergyBurnedUnit="Cal" appleExerciseTime="40" appleExerciseTimeGoal="30" appleStandHours="12" '
            'appleStandHoursGoal="12"/>\n') % (WATCH, clock(33605), frame, clock(31000), Q, frame, DAY)


def write(path, size):
    """An archive whose XML has at least so many bytes: (records, days, bytes of XML)."""
    blocks = [''.join(records(*one)).encode() for one in MIX] + [workout().encode()]
    days = -(-size // sum(map(len, blocks)))
    # Younger first would be as good; a store that is written in the order of time is the ordinary case.
    dates = [str(date(2025, 12, 31) - timedelta(days=days - 1 - day)).encode() for day in range(days)]
    head = ('<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_US">\n'
            ' <ExportDate value="2026-01-10 08:00:00 -0500"/>\n').encode()
    written = 0
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive, \
            archive.open('apple_health_export/export.xml', 'w', force_zip64=True) as xml:
        written += xml.write(head)
        for block in blocks:
            for day in dates:
                written += xml.write(block.replace(DAY.encode(), day))
        written += xml.write(b'</HealthData>\n')
    return days * sum(count for _, _, _, count, _ in MIX), days, written


def imported(program, archive, home):
    """What an import told at its end, its seconds, and its peak of resident bytes."""
    began = time.monotonic()
    env = dict(os.environ, HEALTHSYNC_SERVER_HOME=home)
    child = subprocess.Popen([program, 'import', '--json', archive], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    out = child.stdout.read()
    # The peak of the program, or that of this script, if that is the higher one (Linux).
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit('the import failed (exit %d)' % child.returncode)
    return json.loads(out.splitlines()[-1]), time.monotonic() - began, usage.ru_maxrss * 1024


def main():
    program, size = sys.argv[1], int(sys.argv[2]) * 10**6
    wrong = []
    with tempfile.TemporaryDirectory(prefix='healthsync-soak.') as folder:
        free = shutil.disk_usage(folder).free
        if free < SPACE * size:
            print('SKIPPED: an import of %d MB of XML needs %d MB of disk, and %s has %d' % (
                size // 10**6, SPACE * size // 10**6, tempfile.gettempdir(), free // 10**6))
            sys.exit(77)
        archive, home = os.path.join(folder, 'export.zip'), os.path.join(folder, 'home')
        began = time.monotonic()
        count, days, written = write(archive, size)
        print('wrote %d records of %d days, %.0f MB of XML, %.0f MB of archive, in %.0f s' % (
            count, days, written / 1e6, os.path.getsize(archive) / 1e6, time.monotonic() - began), flush=True)
        for what, new, workouts in (('import', count, days), ('again', 0, 0)):
            told, seconds, peak = imported(program, archive, home)
            stored = sum(os.path.getsize(os.path.join(home, name)) for name in os.listdir(home))
            print('%s: %d read, %d new, peak memory %.1f MiB, %.0f s, store %.0f MB' % (
                what, told['read'], told['new'], peak / 2**20, seconds, stored / 1e6), flush=True)
            for name, is_, should in (
                    ('read', told['read'], count), ('new', told['new'], new), ('updated', told['updated'], 0),
                    ('deleted', told['deleted'], 0), ('new workouts', told['workouts']['new'], workouts),
                    ('new summaries', told['documents']['activitySummary']['new'], workouts), ('skipped', told['skipped'], [])):
                if is_ != should:
                    wrong.append('%s: %s is %s, and not %s' % (what, name, is_, should))
            if peak > MOST:
                wrong.append('%s: more than %d MiB of memory' % (what, MOST >> 20))
            if seconds > SOON:
                wrong.append('%s: longer than %d s' % (what, SOON))
    if wrong:
        sys.exit('\n'.join(wrong))


main()
