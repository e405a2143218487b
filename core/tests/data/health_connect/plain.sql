-- A Health Connect export, written by hand after the source of the Android Open Source Project
-- (packages/modules/HealthFitness); nobody's data. Columns stand in no order, as on real phones.
PRAGMA user_version = 23;
CREATE TABLE application_info_table (app_name TEXT, row_id INTEGER PRIMARY KEY AUTOINCREMENT,
  app_icon BLOB, package_name TEXT NOT NULL UNIQUE, record_types_used TEXT);
INSERT INTO application_info_table (row_id, package_name, app_name) VALUES
  (1, 'com.example.watch', 'Uhr'), (2, 'com.example.scale', NULL);
CREATE TABLE device_info_table (row_id INTEGER PRIMARY KEY AUTOINCREMENT, manufacturer TEXT,
  model TEXT, device_type INTEGER);
INSERT INTO device_info_table VALUES (1, 'samsung', 'SM-R960', 1);
CREATE TABLE health_data_category_priority_table (health_data_category INTEGER UNIQUE,
  app_id_priority_order TEXT NOT NULL);

CREATE TABLE steps_record_table (count INTEGER, row_id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid BLOB, last_modified_time INTEGER, client_record_id TEXT, client_record_version TEXT,
  device_info_id INTEGER, app_info_id INTEGER, recording_method INTEGER, dedupe_hash BLOB UNIQUE,
  start_time INTEGER, start_zone_offset INTEGER, end_time INTEGER, end_zone_offset INTEGER,
  local_date INTEGER, local_date_time_start_time INTEGER AS (start_time + 1000 * start_zone_offset));
INSERT INTO steps_record_table (uuid, start_time, end_time, start_zone_offset, count, app_info_id,
  device_info_id, recording_method, last_modified_time, client_record_id) VALUES
  (x'00112233445566778899aabbccddeeff', 1718442000000, 1718443800000, 7200, 1000, 1, 1, 2, 1718443900000, 'c-1'),
  (x'00112233445566778899aabbccddee00', 1718443800000, 1718445600000, -10800, 500, 1, 1, 3, 1718445700000, NULL);

CREATE TABLE weight_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER,
  zone_offset INTEGER, app_info_id INTEGER, weight REAL);
INSERT INTO weight_record_table VALUES (1, x'01', 1718442000000, 0, 2, 70500.0);
CREATE TABLE body_fat_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER, percentage REAL);
INSERT INTO body_fat_record_table VALUES (1, x'0000000000000000000000000000aa01', 1718442000000, 21.5);
CREATE TABLE oxygen_saturation_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER, percentage REAL);
INSERT INTO oxygen_saturation_record_table VALUES
  (1, x'0000000000000000000000000000aa02', 1718442000000, 97.0),
  (2, x'0000000000000000000000000000aa03', 1718442060000, 1.0);
CREATE TABLE active_calories_burned_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB,
  start_time INTEGER, end_time INTEGER, energy REAL);
INSERT INTO active_calories_burned_record_table VALUES
  (1, x'0000000000000000000000000000aa04', 1718442000000, 1718443800000, 200000.0);
CREATE TABLE total_calories_burned_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB,
  start_time INTEGER, end_time INTEGER, energy REAL);
INSERT INTO total_calories_burned_record_table VALUES
  (1, x'0000000000000000000000000000aa05', 1718442000000, 1718443800000, 250000.0);
CREATE TABLE heart_rate_variability_rmssd_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB,
  time INTEGER, heart_rate_variability_millis REAL);
INSERT INTO heart_rate_variability_rmssd_record_table VALUES
  (1, x'0000000000000000000000000000aa06', 1718442000000, 48.0);
CREATE TABLE blood_glucose_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER,
  level REAL, meal_type INTEGER);
INSERT INTO blood_glucose_record_table VALUES
  (1, x'0000000000000000000000000000aa07', 1718442000000, 5.0, 1);
CREATE TABLE basal_metabolic_rate_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB,
  time INTEGER, basal_metabolic_rate REAL);
INSERT INTO basal_metabolic_rate_record_table VALUES
  (1, x'0000000000000000000000000000aa08', 1718442000000, 75.5);
CREATE TABLE hydration_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, start_time INTEGER,
  end_time INTEGER, volume REAL);
INSERT INTO hydration_record_table VALUES
  (1, x'0000000000000000000000000000aa09', 1718442000000, 1718442000000, 0.25);

-- The parent of the heart rates holds no number; that of the speeds bears the name of its class.
CREATE TABLE heart_rate_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, start_time INTEGER,
  end_time INTEGER, app_info_id INTEGER, device_info_id INTEGER);
INSERT INTO heart_rate_record_table VALUES
  (7, x'0000000000000000000000000000aa0a', 1718442000000, 1718442120000, 1, 1);
CREATE TABLE heart_rate_record_series_table (beats_per_minute INTEGER, parent_key INTEGER NOT NULL,
  epoch_millis INTEGER);
INSERT INTO heart_rate_record_series_table VALUES
  (61, 7, 1718442000000), (64, 7, 1718442060000), (70, 99, 1718442060000);
CREATE TABLE SpeedRecordTable (row_id INTEGER PRIMARY KEY, uuid BLOB, start_time INTEGER, end_time INTEGER);
INSERT INTO SpeedRecordTable VALUES (1, x'0000000000000000000000000000aa0b', 1718442000000, 1718442120000);
CREATE TABLE speed_record_table (parent_key INTEGER, speed REAL, epoch_millis INTEGER);
INSERT INTO speed_record_table VALUES (1, 2.5, 1718442000000);

CREATE TABLE blood_pressure_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER,
  systolic REAL, diastolic REAL, measurement_location TEXT, body_position TEXT);
INSERT INTO blood_pressure_record_table VALUES
  (1, x'0000000000000000000000000000aa0c', 1718442000000, 120.0, 80.0, '1', '2'),
  (2, x'0000000000000000000000000000aa0d', 1718442060000, 120.0, NULL, '1', '2');

CREATE TABLE sleep_session_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, start_time INTEGER,
  start_zone_offset INTEGER, end_time INTEGER, end_zone_offset INTEGER, title TEXT, notes TEXT);
INSERT INTO sleep_session_record_table VALUES
  (1, x'0000000000000000000000000000aa0e', 1718400000000, 7200, 1718428800000, 7200, 'Nacht', NULL),
  (2, x'0000000000000000000000000000aa0f', 1718442000000, 7200, 1718445600000, 7200, NULL, NULL);
CREATE TABLE sleep_stages_table (parent_key INTEGER NOT NULL, stage_start_time INTEGER NOT NULL,
  stage_end_time INTEGER NOT NULL, stage_type INTEGER NOT NULL);
INSERT INTO sleep_stages_table VALUES
  (1, 1718400000000, 1718403600000, 4), (1, 1718403600000, 1718407200000, 5),
  (1, 1718407200000, 1718410800000, 6), (1, 1718410800000, 1718411100000, 1),
  (1, 1718411100000, 1718411400000, 3), (1, 1718411400000, 1718411700000, 7),
  (1, 1718411700000, 1718428500000, 2), (1, 1718428500000, 1718428800000, 0);

CREATE TABLE exercise_session_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB,
  start_time INTEGER, end_time INTEGER, exercise_type INTEGER, title TEXT, notes TEXT,
  has_route INTEGER, app_info_id INTEGER);
INSERT INTO exercise_session_record_table VALUES
  (3, x'0000000000000000000000000000aa10', 1718442000000, 1718445600000, 33, 'Lauf', NULL, 1, 1),
  (4, x'0000000000000000000000000000aa11', 1718449200000, 1718452800000, 99, NULL, NULL, 0, 1);
CREATE TABLE exercise_laps_table (parent_key INTEGER, lap_start_time INTEGER, lap_end_time INTEGER, length REAL);
INSERT INTO exercise_laps_table VALUES (3, 1718442000000, 1718443000000, 2000.0);
CREATE TABLE exercise_segments_table (parent_key INTEGER, segment_start_time INTEGER,
  segment_end_time INTEGER, segment_type INTEGER, repetitions_count INTEGER);
INSERT INTO exercise_segments_table VALUES (3, 1718443000000, 1718444000000, 45, 12), (98, 1718443000000, 1718444000000, 45, 12);
CREATE TABLE exercise_route_table (parent_key INTEGER, timestamp_millis INTEGER, latitude REAL,
  longitude REAL, altitude REAL, horizontal_accuracy REAL, vertical_accuracy REAL);
INSERT INTO exercise_route_table VALUES
  (3, 1718442060000, 48.2083, 16.3732, 171.5, 3.0, NULL), (3, 1718442000000, 48.2082, 16.3731, 171.0, 3.0, 4.0);

-- 5e-324 is Double.MIN_VALUE: not recorded.
CREATE TABLE nutrition_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, start_time INTEGER,
  end_time INTEGER, meal_type INTEGER, meal_name TEXT, energy REAL, protein REAL, sodium REAL,
  vitamin_b12 REAL, sugar REAL, trans_fat REAL);
INSERT INTO nutrition_record_table VALUES
  (1, x'0000000000000000000000000000aa12', 1718442000000, 1718442900000, 1, 'Müsli', 350000.0, 12.5, 0.2, 2.4e-6, 5e-324, 0.5);

CREATE TABLE menstruation_flow_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER, flow INTEGER);
INSERT INTO menstruation_flow_record_table VALUES (1, x'0000000000000000000000000000aa13', 1718442000000, 2);
CREATE TABLE respiratory_rate_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER);
INSERT INTO respiratory_rate_record_table VALUES (1, x'0000000000000000000000000000aa14', 1718442000000);
CREATE TABLE height_record_table (row_id INTEGER PRIMARY KEY, uuid BLOB, time INTEGER, height REAL);
INSERT INTO height_record_table VALUES
  (1, x'0000000000000000000000000000aa15', 1718442000000, 1.68),
  (2, x'0000000000000000000000000000aa16', 9223372036854775807, 1.68),
  (3, x'0000000000000000000000000000aa17', NULL, 1.68);
