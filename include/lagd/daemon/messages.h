/* Ids of the kinds of messages that programs look for in the journal (MESSAGE_ID=); systemd/lagd.catalog explains each.
 * Thread: any. */
#pragma once

#define LAGD_MESSAGE_RUN_STARTED "e7990b3af9aa499c861ad2e9bc0244e2"
#define LAGD_MESSAGE_GROWTH_DECIDED "9ab3d10adf554f8ea2270d321a97c782"
#define LAGD_MESSAGE_CHECKPOINT_WRITTEN "ea89c3e719b143e3b3c67235bf031005"
#define LAGD_MESSAGE_WATCHDOG_MISS "f1aeb5e18e134e11a2158a555923b027"
#define LAGD_MESSAGE_NOTIFICATION "4c40c555011746e6adb50d3fa5096024"
