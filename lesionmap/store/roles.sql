-- Who may do what in a study on PostgreSQL. The server's administrator runs it in the study's database, once after the
-- study was made and again after each 'lesionmap study upgrade':
--
--     lesionmap study roles > roles.sql
--     sudo -u postgres psql --dbname NAME < roles.sql
--
-- Then each person gets a login in one of the two roles:
--
--     sudo -u postgres createuser --pwprompt --role lesionmap_reader anna
--
-- A reader looks, marks and imports. What was marked can be added to and never be changed or removed: there is no right
-- to UPDATE or DELETE the table of edits, nor to DELETE anything. A viewer only looks. The keeper's own login owns the
-- tables, so it is for this script and for upgrades, not for daily work.
BEGIN;

DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['lesionmap_reader', 'lesionmap_viewer'] LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- another study on this server has the same roles
    END;
  END LOOP;
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO lesionmap_reader, lesionmap_viewer', current_database());
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO lesionmap_reader, lesionmap_viewer;
REVOKE ALL ON meta, patient, identity, visit, edit FROM PUBLIC, lesionmap_reader, lesionmap_viewer;
GRANT SELECT ON meta, patient, identity, visit, edit TO lesionmap_reader, lesionmap_viewer;
GRANT INSERT ON patient, identity, visit, edit TO lesionmap_reader;
GRANT UPDATE (sex, birth_date) ON patient TO lesionmap_reader;
GRANT UPDATE (age_y, stature_cm, weight_kg, series) ON visit TO lesionmap_reader;

COMMIT;
