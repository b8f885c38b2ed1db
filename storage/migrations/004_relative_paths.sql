-- Schema 4: an uploaded dataset is stored where it lies below the state directory, so that the directory can be moved,
-- copied and restored as one. What a state directory was called before does not matter: the folder of an upload is named
-- after the id of its dataset. Files that were registered where they lie keep their absolute paths.
UPDATE datasets SET path = substr(path, instr(path, '/datasets/' || id || '/') + 1)
WHERE origin = 'upload' AND instr(path, '/datasets/' || id || '/') > 0;
