;; Emacs's dap-mode, headless, on a core: prints what its client got, a line each. Run by editors.test.ts:
;; emacs --batch -f package-initialize -l dap-mode.el, with CORE, PROGRAM and ADAPTER (words of the command) set.
(require 'dap-mode)
(require 'dap-ui)

(setq dap-auto-configure-features nil
      lsp-auto-configure nil
      dap-auto-show-output nil)

(defun told (format &rest args) (princ (concat (apply #'format format args) "\n")))

(defun wait-until (what check)
  (let ((end (+ (float-time) 60)))
    (while (not (funcall check))
      (when (> (float-time) end) (error "Waited too long until %s" what))
      (accept-process-output nil 0.02))))

;; As a user writes it in a launch configuration; :dap-server-path is dap-mode's own.
(dap-start-debugging-noexpand
 (list :type "arena-inspect" :request "launch" :name "demo core"
       :core (getenv "CORE") :program (getenv "PROGRAM")
       :dap-server-path (split-string (getenv "ADAPTER") "\n")))

(wait-until "the session has stopped"
            (lambda () (let ((session (dap--cur-session)))
                         (and session (dap--debug-session-active-frame session)))))

(let* ((session (dap--cur-session))
       (frame (dap--debug-session-active-frame session))
       (threads (gethash "threads" (dap-request session "threads")))
       (scopes (gethash "scopes" (dap-request session "scopes" :frameId (gethash "id" frame))))
       (arenas (seq-find (lambda (scope) (string= (gethash "name" scope) "Arenas")) scopes)))
  (told "capability readMemory %s" (gethash "supportsReadMemoryRequest" (dap--debug-session-current-capabilities session)))
  (told "threads %d" (length threads))
  (told "frame %s" (gethash "name" frame))
  (seq-doseq (scope scopes) (told "scope %s" (gethash "name" scope)))
  (let* ((rows (gethash "variables" (dap-request session "variables" :variablesReference (gethash "variablesReference" arenas))))
         (main (seq-find (lambda (row) (string= (gethash "name" row) "[0] main")) rows))
         (inside (gethash "variables" (dap-request session "variables" :variablesReference (gethash "variablesReference" main))))
         (memory (dap-request session "readMemory" :memoryReference (gethash "memoryReference" main) :count 32)))
    (told "arenas %d" (- (length rows) 2))
    (seq-doseq (row inside) (told "arena %s = %s" (gethash "name" row) (gethash "value" row)))
    (told "memory %s %s" (gethash "address" memory)
          (mapconcat (lambda (byte) (format "%02x" byte)) (base64-decode-string (gethash "data" memory)) "")))
  (told "evaluate %s" (gethash "result" (dap-request session "evaluate" :expression "arena 0" :context "repl")))
  (dap-disconnect session)
  (wait-until "the adapter has ended" (lambda () (not (process-live-p (dap--debug-session-proc session)))))
  (told "adapter ended with %d" (process-exit-status (dap--debug-session-proc session))))
