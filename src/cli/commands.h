#pragma once

#include "cli/context.h"

namespace writ::cli {

// One function per command of the table; each returns the exit status of writ.

int RunCommand(Context& context);  // run_command.cc

int RunOnPlane(Context& context);  // plane_run.cc

int SubmitCommand(Context& context);  // plane_submit.cc
int ContinueCommand(Context& context);
int FanoutCommand(Context& context);  // plane_fanout.cc

int WaitCommand(Context& context);    // plane_runs.cc
int CancelCommand(Context& context);
int PullCommand(Context& context);    // plane_pull.cc
int PlaneListCommand(Context& context);
int PlaneShowCommand(Context& context);
int PlaneVerifyCommand(Context& context);
int PlaneBundleCommand(Context& context);
int PlaneLogsCommand(Context& context);

int ApproveCommand(Context& context);  // approval_commands.cc
int DenyCommand(Context& context);
int PendingCommand(Context& context);
int PlaneApprove(Context& context);    // plane_approval.cc
int PlaneDeny(Context& context);
int PlanePending(Context& context);

int PrincipalsListCommand(Context& context);  // plane_admin.cc
int PrincipalsAddCommand(Context& context);
int PrincipalsRotateCommand(Context& context);
int PrincipalsRevokeCommand(Context& context);
int EnrollTokenCommand(Context& context);
int RunnersCommand(Context& context);
int ExportCommand(Context& context);

int PlaneLoginCommand(Context& context);  // plane_login.cc
int PlaneStatusCommand(Context& context);
int PlaneForgetCommand(Context& context);

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
