"""From an event in the inbox to a task of an agent, in this order:

drain       takes batches from the inbox and processes each in one transaction
leases      claims a batch for a worker, and finds the batches of dead workers
match       finds the triggers that each event concerns: each (trigger, event) is a
            pair; skips pairs that must not start: inactive, paused, missed, too deep
parse       reads the event's body and runs the code of its webhook type
evaluate    evaluates the conditions of each pair
parameters  builds the document that conditions read, and the task of the agent
admit       applies the overlap policy and the hourly limit
store       inserts executions, traces and tasks
poison      records the events and triggers whose processing always fails
"""
