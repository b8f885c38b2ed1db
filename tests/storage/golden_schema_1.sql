-- A database as lagd with schema 1 leaves it, with a row in every table; the tests build the file from this text.
-- The schema itself is migration 1, which never changes.
INSERT INTO datasets VALUES ('ds_1', 'kjv', 'upload', '/data/kjv.txt', 'text', 4404445, 4404445, 255, 256, 'ab', 1000);
INSERT INTO runs VALUES ('run_1', 'first', 'ds_1', 'running', 3, 4, 128, 512, 64, 256, 1000000, 5, 600, 5120, 1.5e12,
  1.0, 0, -1, 'gr_1', 7, 2000, 2001, NULL, 'schedule/max_steps=600');
INSERT INTO growths VALUES ('gr_1', 'run_1', 'probing', 'auto', 300, 300, 'ckpt_1', 3, 6, 50, 4, 32, 2.5, 2, 3000, 3001,
  NULL, 'pool=default');
INSERT INTO candidates VALUES (1, 'cand_1', 'gr_1', 0, 'midas', 'midas(b=1)', 'midas', '0 1 1 1 1 2', 1, 'done', NULL,
  50, 2000000, 12, 3.5, 2.25, 9e12, 'ckpt_2');
INSERT INTO probe_losses VALUES (1, 0, 0, 3.5), (1, 0, 1, NULL);
INSERT INTO decisions VALUES ('gr_1', 'cand_1', 'cand_1', 'cand_1', NULL, 0.25, NULL, NULL, 1.0, NULL, 1e13, 0, 1,
  'lag', 'cand_1 is best', NULL, 4000);
INSERT INTO checkpoints VALUES ('ckpt_1', 'run_1', NULL, 'pre_growth', 'runs/run_1/ckpt_1', 300, 3, 110, 'fp', 1, 2500),
  ('ckpt_2', 'run_1', 'cand_1', 'candidate', 'runs/run_1/ckpt_2', 350, 6, 220, 'fp', 0, 3500);
INSERT INTO checkpoint_files VALUES ('ckpt_1', 'model.safetensors', 100, 'aa'), ('ckpt_1', 'config.json', 10, 'bb');
INSERT INTO series VALUES (1, 'run_1', 'train/loss', 1, 3, 1, 3, 4.75), (2, 'cand_1', 'val/loss', 1, 1, 300, 300, 3.5);
INSERT INTO points VALUES (1, 1, 5.5), (1, 2, NULL), (1, 3, 4.75), (2, 300, 3.5);
INSERT INTO events VALUES (1, 2000, 'run.state', 'run_1', NULL, NULL, 'running', -1, NULL, NULL);
