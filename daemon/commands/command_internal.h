/* One command on its way: made by who asks, answered once. */
#pragma once
#include <lagd/daemon/commands.h>

/* Answers a command; it is the receiver's from then on. Thread: any. */
void lagd_command_answer(struct lagd_command *command, int rc);
