"""From an event in the inbox to a task of an agent, in this order:

drain       takes batches from the inbox and processes each in one transaction
leases      claims a batch for a worker, and finds the batches of dead workers
match       finds the triggers that each event concerns
parse       reads the event's body and runs the code of its webhook type
guard       skips runs that must not start: inactive, paused, missed, too deep
document    builds the document that conditions and parameters read
evaluate    evaluates the conditions of each (trigger, event)
parameters  builds what the agent is given
admit       applies the overlap policy and the hourly limit
store       inserts executions, traces and tasks
poison      records the events and triggers whose processing always fails
"""
