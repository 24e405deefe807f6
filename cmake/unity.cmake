# Unity builds: several sources of a target are compiled as one. Most of the time a file of this project takes goes into
# the headers it includes; measured in processor seconds with g++ 12 (docs/decisions/0008-*.md has the rest):
# 12 test files of src/contract 33.5 s one by one and 15.3 s in batches of 8, 29 files of src/session 55 s and 25.6 s.
# The presets that a whole scripts/test builds turn it on. `dev` compiles each file for itself, so that a missing include
# of the project does not stay unseen, and a change of one file compiles one.
# Names in anonymous namespaces of one folder must therefore differ. A source with compiler flags of its own stays out by
# itself.

option(WRIT_UNITY "Compile several sources of a target at once" OFF)
set(WRIT_UNITY_BATCH 8 CACHE STRING "Sources in a batch; 0: all of the target")

# writ_use_unity(TARGET): no effect where unity builds are off.
function(writ_use_unity target)
  if(WRIT_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${WRIT_UNITY_BATCH})
  endif()
endfunction()
