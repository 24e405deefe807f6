#pragma once

#include "cli/context.h"

namespace writ::cli {

// One function per command of the table; each returns the exit status of writ.

int RunCommand(Context& context);  // run_command.cc

int LearnCommand(Context& context);
int ExplainCommand(Context& context);  // network_commands.cc
int NetCommand(Context& context);

int PsCommand(Context& context);   // list_commands.cc
int ListCommand(Context& context);
int DecisionsCommand(Context& context);

int ShowCommand(Context& context);  // show_command.cc

int GetCommand(Context& context);  // content_commands.cc
int LogsCommand(Context& context);
int DiffCommand(Context& context);
int ApplyCommand(Context& context);

int BundleCommand(Context& context);  // evidence_commands.cc
int VerifyCommand(Context& context);
int KeysCommand(Context& context);
int CanonCommand(Context& context);
int HashCommand(Context& context);

int KillCommand(Context& context);  // store_commands.cc
int GcCommand(Context& context);

int SecretSetCommand(Context& context);  // secret_commands.cc
int SecretListCommand(Context& context);
int SecretRemoveCommand(Context& context);
int SecretImportCommand(Context& context);

int PolicyCheckCommand(Context& context);  // policy_commands.cc
int PolicyShowCommand(Context& context);

int DoctorCommand(Context& context);  // doctor_command.cc

}  // namespace writ::cli
