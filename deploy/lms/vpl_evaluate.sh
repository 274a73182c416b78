#!/bin/bash
# Virtual Programming Lab runs this to evaluate a submission. Put hand_in.py beside it, and among the files to keep.
# Where there is no grade, nothing is left to be run: VPL then shows what is printed here, and gives no grade.
. vpl_environment.sh
if python3 -I hand_in.py vpl "$MOODLE_USER_ID" "$VPL_SUBFILE0" >vpl_report.txt; then
  printf '#!/bin/bash\ncat vpl_report.txt\n' >vpl_execution
  chmod +x vpl_execution
else
  sed 's/^Comment :=>>-\{0,1\}//' vpl_report.txt
fi
